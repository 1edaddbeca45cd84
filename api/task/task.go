// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/ccee-dev/ccee/handoff"
	"github.com/ccee-dev/ccee/job"
)

// The bounds of bodies, in bytes.
const (
	maxEvents = 1 << 20
	maxResult = 32 << 20  // two outputs of 1 MiB in each of two steps, of which JSON escapes nearly every byte, and 4 MiB of files
	maxBodies = 256 << 20 // of all requests together
)

// redisTimeout bounds how long one request waits for Redis.
const redisTimeout = 3 * time.Second

// Routes answers tasks. Its methods are the routes' handlers; each returns the status that it answered.
type Routes struct {
	store  *handoff.Store
	log    zerolog.Logger
	bodies *semaphore.Weighted
	grace  time.Duration // of a body, beyond its pace

	mu   sync.Mutex // guards the rest
	busy map[handoff.Token]bool
}

// New returns the routes over the offers in a store.
func New(store *handoff.Store, log zerolog.Logger) *Routes {
	return &Routes{store: store, log: log, bodies: semaphore.NewWeighted(maxBodies), grace: paceGrace, busy: map[handoff.Token]bool{}}
}

// Payload gives the job to the first caller with its token.
func (h *Routes) Payload(w http.ResponseWriter, r *http.Request) int {
	ctx, cancel := context.WithTimeout(r.Context(), redisTimeout)
	defer cancel()
	token, nonce := credentials(r)
	spec, err := h.store.Take(ctx, token, nonce)
	if err != nil {
		return h.refuse(w, err)
	}
	return answer(w, http.StatusOK, spec)
}

// Events takes a report of a running job, which may be a heartbeat.
func (h *Routes) Events(w http.ResponseWriter, r *http.Request) int {
	return h.report(w, r, maxEvents, func(rep *job.Report) error {
		if rep.Last() {
			return job.Invalid("result", "is not for this route")
		}
		return nil
	})
}

// Result takes the last report.
func (h *Routes) Result(w http.ResponseWriter, r *http.Request) int {
	return h.report(w, r, maxResult, func(rep *job.Report) error {
		if !rep.Last() {
			return job.Invalid("result", "is missing")
		}
		return nil
	})
}

func (h *Routes) report(w http.ResponseWriter, r *http.Request, most int64, fits func(*job.Report) error) int {
	token, nonce := credentials(r)
	if !h.begin(token) { // one that holds a token can hold one body, not all the room
		w.Header().Set("Connection", "close")
		return h.refuse(w, errBusy)
	}
	defer h.end(token)
	ctx, cancel := context.WithTimeout(r.Context(), redisTimeout)
	defer cancel()
	if err := h.store.Known(ctx, token, nonce); err != nil {
		w.Header().Set("Connection", "close") // the body is not read
		return h.refuse(w, err)
	}
	body, release, err := h.read(w, r, most)
	defer release()
	if err != nil {
		w.Header().Set("Connection", "close")
		return h.refuse(w, err)
	}
	rep, err := decode(body)
	if err == nil {
		err = fits(&rep)
	}
	if err != nil {
		return h.refuse(w, err)
	}
	ctx, cancel = context.WithTimeout(r.Context(), redisTimeout)
	defer cancel()
	cancelled, err := h.store.Report(ctx, token, nonce, rep)
	if err != nil {
		return h.refuse(w, err)
	}
	return answer(w, http.StatusOK, []byte(`{"cancelled":`+strconv.FormatBool(cancelled)+`}`))
}

// decode reads a report that a task sent. What newer tasks may add is ignored.
func decode(body []byte) (job.Report, error) {
	var rep job.Report
	if err := json.Unmarshal(body, &rep); err != nil {
		return rep, job.Invalid("body", "is no report: %v", err)
	}
	return rep, rep.Check()
}

// begin reports whether no other request with that token is being answered, and if so marks it.
func (h *Routes) begin(t handoff.Token) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t == "" || h.busy[t] {
		return t == ""
	}
	h.busy[t] = true
	return true
}

func (h *Routes) end(t handoff.Token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.busy, t)
}

// maxCredential bounds the bytes of a token that is looked at.
const maxCredential = 256

// credentials returns a request's token and nonce, "" for what is missing or there twice.
func credentials(r *http.Request) (handoff.Token, string) {
	var token, nonce string
	if all := r.Header["Authorization"]; len(all) == 1 && len(all[0]) <= maxCredential {
		if scheme, rest, _ := strings.Cut(all[0], " "); strings.EqualFold(scheme, "Bearer") {
			token = rest
		}
	}
	if all := r.Header[job.NonceHeader]; len(all) == 1 {
		nonce = all[0]
	}
	return handoff.Token(token), nonce
}

// Refusals of this package's own.
var (
	errBusy   = errors.New("another request with this token is being answered")
	errNoRoom = errors.New("too many bodies at once")
	errLarge  = errors.New("the body is too large")
	errSlow   = errors.New("the body did not come in time")
	errCut    = errors.New("the body broke off")
)

// refuse answers with an error.
func (h *Routes) refuse(w http.ResponseWriter, err error) int {
	status, code := http.StatusServiceUnavailable, "unavailable"
	switch {
	case errors.Is(err, handoff.ErrVoid):
		status, code = http.StatusUnauthorized, "task_void"
		w.Header().Set("WWW-Authenticate", "Bearer")
	case errors.Is(err, handoff.ErrTaken):
		status, code = http.StatusConflict, "task_taken"
	case errors.Is(err, handoff.ErrEnded):
		status, code = http.StatusGone, "task_ended"
	case errors.Is(err, errBusy):
		status, code = http.StatusTooManyRequests, "busy"
	case errors.Is(err, errLarge):
		status, code = http.StatusRequestEntityTooLarge, "too_large"
	case errors.Is(err, errSlow):
		status, code = http.StatusRequestTimeout, "slow"
	case errors.Is(err, errCut), job.ErrorCode(err) == job.EInvalid:
		status, code = http.StatusBadRequest, "invalid"
	case errors.Is(err, errNoRoom):
	default:
		h.log.Error().Err(err).Msg("a task can't be answered")
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	body := struct {
		Error  string `json:"error"`
		Reason string `json:"reason,omitempty"`
	}{Error: code}
	if status == http.StatusBadRequest {
		body.Reason = err.Error()
	}
	b, err := json.Marshal(body)
	if err != nil {
		b = []byte(`{"error":"internal"}`)
	}
	return answer(w, status, b)
}

func answer(w http.ResponseWriter, status int, data []byte) int {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(data) // an error means that the task has left
	return status
}
