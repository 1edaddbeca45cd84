// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/live"
	"github.com/ccee-dev/ccee/queue"
)

// redirectEvents leads from the old name to the new one: GET /executions/:jobId/events.
func (s *Server) redirectEvents(c *call) {
	target := "/v1/jobs/" + url.PathEscape(c.params.ByName("jobId")) + "/events"
	if q := c.r.URL.RawQuery; q != "" {
		target += "?" + q
	}
	c.w.Header().Set("Location", target)
	c.w.Header().Set("Content-Length", "0")
	c.status = http.StatusTemporaryRedirect
	c.w.WriteHeader(c.status)
}

// lastEvent returns how far the client has come. It answers and returns false when that can't be read.
func (c *call) lastEvent() (p live.Progress, ok bool) {
	last := c.r.Header.Get("Last-Event-ID")
	iss := decode.NewIssues()
	if last == "" {
		last = c.query(iss).Get("lastEventId")
	}
	if p, ok = live.ParseProgress(last); !ok {
		iss.Field("lastEventId", "Invalid id: give back the id of an event as it is")
		c.invalid(iss)
	}
	return p, ok
}

// getEvents sends what a job does as it happens: GET /v1/jobs/:jobId/events.
func (s *Server) getEvents(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	seen, ok := c.lastEvent()
	if !ok {
		return
	}
	// Watched before it is read: what changes between the two is seen.
	changed, closed, stop := s.opts.Queue.Watch(id)
	defer stop()
	rec, err := s.await(c, id, 0)
	if err != nil {
		c.showJob(rec, err, nil)
		return
	}
	if seen.Done() && rec.Status.Final() {
		c.noMore()
		return
	}
	if !s.streams.Take(c.who.Tenant) {
		c.w.Header().Set("Retry-After", "5")
		c.refuse(http.StatusTooManyRequests, "too_many_streams", "")
		return
	}
	defer s.streams.Give(c.who.Tenant)
	st := &live.Stream{
		Source: &watched{s, c, id}, ID: id, Trace: c.trace, Seen: seen.Resumed(), Log: c.log,
		Beat: s.beat, Changed: changed, Closed: closed, Draining: s.draining.Done(),
	}
	c.status = st.Begin(c.w, c.r)
	if c.r.Method != http.MethodHead {
		st.Run(c.r.Context(), rec, c.releaseAnswer)
	}
}

// noMore answers a client that knows the job's end already: an EventSource comes back after the end of a stream, for ever, unless it is
// answered by 204 (https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model).
func (c *call) noMore() {
	c.w.Header().Set("Cache-Control", "no-store")
	c.status = http.StatusNoContent
	c.w.WriteHeader(c.status)
}

// watched is the job of an open stream.
type watched struct {
	s  *Server
	c  *call
	id string
}

// Job implements live.Source.
func (w *watched) Job(context.Context) (queue.Record, func(), error) {
	ctx, cancel := w.c.redis()
	defer cancel()
	rec, err := w.s.opts.Queue.Look(ctx, w.c.who.Tenant, w.id)
	rec, err = w.s.loadOutput(w.c, rec, err)
	return rec, w.c.releaseAnswer, err
}

// Events implements live.Source.
func (w *watched) Events(_ context.Context, after string) ([]queue.LiveEvent, error) {
	ctx, cancel := w.c.redis()
	defer cancel()
	return w.s.opts.Queue.LiveEvents(ctx, w.id, after)
}

// Recheck implements live.Source.
func (w *watched) Recheck(context.Context) error { return w.s.recheck(w.c) }
