package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// The bounds of streams of events. A stream costs a goroutine and a place in a table; Redis is asked only when something changed.
const (
	streamBeat     = 15 * time.Second // a comment is sent when nothing else was
	streamWrite    = 10 * time.Second // a client that does not read for so long is cut off
	streamRetry    = 2000             // ms, after which a client shall come back
	tenantStreams  = 100              // at once
	processStreams = 10_000
	streamLongest  = time.Hour // then the client comes back, and goes on where it was
)

// streams counts the open ones.
type streams struct {
	mu  sync.Mutex // guards the rest
	of  map[string]int
	all int
}

// open takes a place and reports whether there was one.
func (s *streams) open(tenant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[tenant] >= tenantStreams || s.all >= processStreams {
		return false
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[tenant]++
	s.all++
	return true
}

func (s *streams) close(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[tenant]--; s.of[tenant] == 0 {
		delete(s.of, tenant)
	}
}

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
func (c *call) lastEvent() (p progress, ok bool) {
	last := c.r.Header.Get("Last-Event-ID")
	if last == "" {
		last = c.query().Get("lastEventId")
	}
	if p, ok = parseProgress(last); !ok {
		iss := newIssues()
		iss.field("lastEventId", "Invalid id: give back the id of an event as it is")
		c.invalid(iss)
	}
	return p, ok
}

// getEvents tells what a job does as it happens: GET /v1/jobs/:jobId/events, as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (s *Server) getEvents(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	p, ok := c.lastEvent()
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
	if p.done && rec.Status.Final() {
		c.noMore()
		return
	}
	p.done = false // a job that was run again goes on
	if !s.streams.open(c.who.Tenant) {
		c.w.Header().Set("Retry-After", "5")
		c.refuse(http.StatusTooManyRequests, "too_many_streams", "")
		return
	}
	defer s.streams.close(c.who.Tenant)
	st := &stream{s: s, c: c, id: id, p: p, ctl: http.NewResponseController(c.w)}
	st.begin()
	if c.r.Method == http.MethodHead {
		return
	}
	st.run(rec, changed, closed)
}

// noMore answers a client that knows the job's end already: an EventSource comes back after the end of a stream, for ever, unless it is
// told not to by a 204 (https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model).
func (c *call) noMore() {
	c.w.Header().Set("Cache-Control", "no-store")
	c.status = http.StatusNoContent
	c.w.WriteHeader(c.status)
}

// stream is one open stream.
type stream struct {
	s   *Server
	c   *call
	id  string
	ctl *http.ResponseController

	p     progress
	at    string    // the last live event that was read
	rest  [4][]byte // beginnings of characters that wait for their ends
	shown time.Time // UpdatedAt of the last job event
	buf   bytes.Buffer
	gone  error // the client is
}

// begin sends the headers, which are the contract's.
func (t *stream) begin() {
	h := t.c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no")
	t.c.status = http.StatusOK
	_ = t.ctl.SetReadDeadline(time.Time{}) // that of the request is over
	t.c.w.WriteHeader(http.StatusOK)
	if t.c.r.Method != http.MethodHead {
		fmt.Fprintf(&t.buf, "retry: %d\n\n", streamRetry)
		t.flush()
	}
}

// run sends events until the job is over, the client or the server goes, or nothing can be read any more.
func (t *stream) run(rec queue.Record, changed, closed <-chan struct{}) {
	beat := time.NewTicker(t.s.beat)
	defer beat.Stop()
	end := time.NewTimer(streamLongest)
	defer end.Stop()
	for t.gone == nil {
		if done := t.tell(rec); done || t.gone != nil {
			return
		}
		select {
		case <-changed:
			var ok bool
			if rec, ok = t.read(); !ok {
				return
			}
		case <-beat.C:
			if t.s.recheck(t.c) != nil {
				t.event("error", "", refusal{Error: "unauthorized", TraceID: t.c.trace})
				t.flush()
				return
			}
			t.buf.WriteString(": still here\n\n")
			t.flush()
		case <-end.C:
			return
		case <-t.s.draining.Done():
			return // the client comes back, to another server
		case <-closed:
			return
		case <-t.c.r.Context().Done():
			return
		}
	}
}

// read returns the job as it is now. When that can't be had, the client is told.
func (t *stream) read() (queue.Record, bool) {
	ctx, cancel := context.WithTimeout(t.c.r.Context(), redisTimeout)
	defer cancel()
	rec, err := t.s.opts.Queue.Look(ctx, t.c.who.Tenant, t.id)
	rec, err = t.s.whole(t.c, rec, err)
	if err == nil {
		return rec, true
	}
	code := "stream_failed"
	if errors.Is(err, queue.ErrNotFound) {
		code = "not_found"
	} else {
		t.c.log.Warn().Err(err).Str("traceId", t.c.trace).Str("job", t.id).Msg("stream ends")
	}
	t.event("error", "", refusal{Error: code, TraceID: t.c.trace})
	t.flush()
	return rec, false
}

// doneEvent is the data of the event done.
type doneEvent struct {
	JobID       string `json:"jobId"`
	ExecutionID string `json:"executionId"`
	Status      string `json:"status"`
	TraceID     string `json:"traceId"`
}

// tell sends what is new; done says that there will be no more.
func (t *stream) tell(rec queue.Record) (done bool) {
	if err := t.tellLive(); err != nil {
		t.c.log.Warn().Err(err).Str("traceId", t.c.trace).Str("job", t.id).Msg("live events are left out")
	}
	if rec.Status.Final() && rec.Result != nil {
		for _, out := range t.p.final(rec.AttemptsMade, rec.Result) {
			t.event(out.name, out.id.String(), out.data)
		}
	}
	if !rec.UpdatedAt.Equal(t.shown) {
		t.shown = rec.UpdatedAt
		t.event("job", "", viewSingle(rec, false))
	}
	if rec.Status.Final() {
		t.p.seq++
		t.p.done = true
		t.event("done", t.p.String(), doneEvent{t.id, t.id, publicStatus(rec), t.c.trace})
	}
	t.flush()
	t.c.dropAnswer()
	return rec.Status.Final()
}

// tellLive sends the output that came since the last time.
func (t *stream) tellLive() error {
	for t.gone == nil {
		ctx, cancel := context.WithTimeout(t.c.r.Context(), redisTimeout)
		events, err := t.s.opts.Queue.LiveEvents(ctx, t.id, t.at)
		cancel()
		if err != nil || len(events) == 0 {
			return err
		}
		for _, ev := range events {
			t.at = ev.ID
			if out, ok := t.p.live(ev, &t.rest); ok {
				t.event(out.name, out.id.String(), out.data)
			}
		}
		t.flush()
	}
	return nil
}

// event writes one event to the buffer.
func (t *stream) event(name, id string, data any) {
	fmt.Fprintf(&t.buf, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&t.buf, "id: %s\n", id)
	}
	t.buf.WriteString("data: ")
	enc := json.NewEncoder(&t.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil { // which ends with a line break
		panic(fmt.Sprintf("encode %T: %v", data, err))
	}
	t.buf.WriteByte('\n')
}

// flush sends the buffer.
func (t *stream) flush() {
	if t.gone != nil || t.buf.Len() == 0 {
		return
	}
	_ = t.ctl.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, t.gone = t.c.w.Write(t.buf.Bytes()); t.gone == nil {
		t.gone = t.ctl.Flush()
	}
	t.buf.Reset()
}
