// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/queue"
)

// redisTimeout bounds how long one request waits for the queue. An unreachable Redis means 503 within a second, never a request that hangs.
const redisTimeout = 900 * time.Millisecond

// retryAfterOutage is when a client may try again while Redis is unreachable, in seconds.
const retryAfterOutage = "2"

// retryAfterFull is when a client may try again while Redis has little memory left, in seconds: jobs must expire first.
const retryAfterFull = "30"

// call is one request on its way through the server.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	params httprouter.Params
	trace  string // the trace id

	scopes  auth.Scopes    // that the route asks for
	who     auth.Principal // zero where anyone may call
	authErr error          // why the caller is rejected; nil: it is authenticated
	counted bool           // in the tenant's window of requests

	body     decode.Body // of a POST
	held     reservation // what body has of its budget
	answer   reservation // what the answer has of its budget
	reading  bool        // the body was asked for
	consumed bool        // the request was read to its end

	route  string // pattern, "" for an unknown one; for the log
	start  time.Time
	status int // answered; 0 until then
	log    *zerolog.Logger
	count  *metrics
	span   trace.Span
}

// begin notes a request's start and settles its trace id.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, params httprouter.Params, route string) *call {
	c := &call{w: w, r: r, params: params, trace: traceID(r.Header), route: route, start: time.Now(), log: &s.opts.Log, count: s.metrics}
	w.Header().Set(traceHeader, c.trace)
	if cn := c.connection(); cn != nil {
		cn.answered.Store(false)
	}
	s.startSpan(c)
	return c
}

// end, deferred, writes the request's log line. A panic of a handler is answered as our fault and logged with its stack.
func (c *call) end() {
	defer c.noteRead()
	if p := recover(); p != nil {
		c.log.Error().Str("traceId", c.trace).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("handler panicked")
		if c.status != 0 { // half an answer was sent: only a broken connection shows the client that the rest is missing
			panic(http.ErrAbortHandler)
		}
		c.fault()
	}
	c.count.answered(c)
	c.endSpan()
	line := c.log.Info()
	if (c.route == "/health" || c.route == "/ready") && c.status < 500 { // load balancers and pages ask again and again
		line = c.log.Debug()
	}
	line.Str("traceId", c.trace).Str("tenantId", c.who.Tenant).Str("subject", c.who.Subject).
		Str("method", c.r.Method).Str("path", c.route).Int("statusCode", c.status).
		Int64("durationMs", time.Since(c.start).Milliseconds()).Msg("request_completed")
}

// redis returns the request's context with the bound for asking the queue.
func (c *call) redis() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.r.Context(), redisTimeout)
}

// json answers with v.
func (c *call) json(status int, v any) { c.send(status, encodeJSON(v)) }

// encodeJSON writes v as all answers are written.
func encodeJSON(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // programs read this, and tenants' output is full of < and &
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// send answers with JSON.
func (c *call) send(status int, data []byte) {
	data = c.compress(data)
	c.answer.shrink(int64(len(data)))
	h := c.w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	c.status = status
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(data) // an error means that the client has left
	}
}

// refusal is the body of most errors of the application.
type refusal struct {
	Error   string `json:"error"`
	Reason  string `json:"reason,omitempty"`
	TraceID string `json:"traceId"`
}

// refuse answers with an error and, where it is not empty, the reason for it.
func (c *call) refuse(status int, code, reason string) {
	c.json(status, refusal{Error: code, Reason: reason, TraceID: c.trace})
}

// validation is the body of a validation error.
type validation struct {
	Error   string         `json:"error"`
	TraceID string         `json:"traceId"`
	Issues  *decode.Issues `json:"issues"`
}

// invalid answers that the request's body or query is wrong, if iss says so, and reports whether it did.
func (c *call) invalid(iss *decode.Issues) bool {
	if !iss.Any() {
		return false
	}
	c.json(http.StatusBadRequest, validation{Error: "validation_error", TraceID: c.trace, Issues: iss})
	return true
}

// clientGone is the status in the log of a request whose client left before the answer.
const clientGone = 499

// unavailable answers that the queue is unreachable, and logs why. If the client has left, that is why, and nobody is answered.
func (c *call) unavailable(cause error) {
	if c.r.Context().Err() != nil {
		c.status = clientGone
		return
	}
	var refused *auth.Refusal
	switch {
	case errors.Is(cause, errOverloaded):
		c.overloaded()
		return
	case errors.As(cause, &refused): // meanwhile
		c.refuseCaller(refused)
		return
	}
	reason := "queue_unreachable"
	wait := retryAfterOutage
	switch {
	case errors.As(cause, new(*archiveFault)):
		reason = "archive_unreachable"
	case errors.Is(cause, queue.ErrFull):
		reason, wait = "storage_full", retryAfterFull
	}
	c.log.Error().Err(cause).Str("traceId", c.trace).Str("path", c.route).Msg(reason)
	code := "unavailable"
	if c.r.Method == http.MethodPost {
		code = "submission_unavailable"
	}
	c.w.Header().Set("Retry-After", wait)
	c.refuse(http.StatusServiceUnavailable, code, reason)
}
