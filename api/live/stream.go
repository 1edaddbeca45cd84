// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// The times of a stream.
const (
	Heartbeat = 15 * time.Second // a comment is sent at least as often
	longest   = time.Hour        // then the client comes back and goes on where it was
)

// Source is what a stream reads.
type Source interface {
	// Job returns the job as it is now, with its output; the caller calls release when it needs that no more.
	Job(ctx context.Context) (rec queue.Record, release func(), err error)
	// Events returns the live events behind the one with that id.
	Events(ctx context.Context, after string) ([]queue.LiveEvent, error)
	// Recheck returns an error when the client may not see the job any more.
	Recheck(ctx context.Context) error
}

// Stream sends one client the events of one job.
type Stream struct {
	Source Source
	ID     string // of the job
	Trace  string // trace id of the request
	Seen   Progress
	Log    *zerolog.Logger

	Beat     time.Duration   // Heartbeat
	Changed  <-chan struct{} // the job has changed
	Closed   <-chan struct{} // changes are not watched any more
	Draining <-chan struct{} // the server stops: the client comes back, to another

	client writer
	last   string    // id of the last live event that was read
	rest   [4][]byte // beginnings of characters that wait for their ends
	shown  time.Time // UpdatedAt of the last job event
}

// Begin sends the headers, and to a GET the first bytes. It returns the status for the log.
func (t *Stream) Begin(w http.ResponseWriter, r *http.Request) int {
	t.client = writer{w: w, ctl: http.NewResponseController(w)}
	t.client.begin(r.Method == http.MethodHead)
	return http.StatusOK
}

// Run sends events, beginning with those of rec, until the job is finished, the client or the server goes, or nothing can be read any more.
func (t *Stream) Run(ctx context.Context, rec queue.Record, release func()) {
	beat := time.NewTicker(t.Beat)
	defer beat.Stop()
	end := time.NewTimer(longest)
	defer end.Stop()
	for {
		t.send(ctx, rec)
		release()
		if rec.Status.Final() || t.client.gone != nil {
			return
		}
		if !t.await(ctx, beat.C, end.C) {
			return
		}
		var ok bool
		if rec, release, ok = t.read(ctx); !ok {
			return
		}
	}
}

// await returns true when the job has changed, false when the stream is to end. Until then it sends heartbeats.
func (t *Stream) await(ctx context.Context, beat, end <-chan time.Time) bool {
	for t.client.gone == nil {
		select {
		case <-t.Changed:
			return true
		case <-beat:
			if t.Source.Recheck(ctx) != nil {
				t.fail("unauthorized")
				return false
			}
			t.client.comment("still here")
			t.client.flush()
			t.sendLive(ctx) // should a note of a change have been lost
		case <-end:
			return false
		case <-t.Draining:
			return false
		case <-t.Closed:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// read returns the job as it is now. When it can't be read, the client gets an error event.
func (t *Stream) read(ctx context.Context) (queue.Record, func(), bool) {
	rec, release, err := t.Source.Job(ctx)
	switch {
	case err == nil:
		return rec, release, true
	case errors.Is(err, queue.ErrNotFound):
		t.fail("not_found")
	default:
		t.Log.Warn().Err(err).Str("traceId", t.Trace).Str("job", t.ID).Msg("stream ends")
		t.fail("stream_failed")
	}
	return rec, nil, false
}

// failure is the data of the event error.
type failure struct {
	Error   string `json:"error"`
	TraceID string `json:"traceId"`
}

func (t *Stream) fail(code string) {
	t.client.event("error", "", failure{code, t.Trace})
	t.client.flush()
}

// done is the data of the event done.
type done struct {
	JobID       string `json:"jobId"`
	ExecutionID string `json:"executionId"`
	Status      string `json:"status"`
	TraceID     string `json:"traceId"`
}

// send sends what is new: output and tests, then the job if it has changed, then its end.
func (t *Stream) send(ctx context.Context, rec queue.Record) {
	t.sendLive(ctx)
	if rec.Status.Final() && rec.Result != nil {
		for _, f := range t.Seen.final(rec.AttemptsMade, rec.Result) {
			t.client.event(f.name, f.id.String(), f.data)
		}
	}
	if !rec.UpdatedAt.Equal(t.shown) {
		t.shown = rec.UpdatedAt
		t.client.event("job", "", view.NewSingle(rec, false))
	}
	if rec.Status.Final() {
		t.client.event("done", t.Seen.end().String(), done{t.ID, t.ID, view.Status(rec), t.Trace})
	}
	t.client.flush()
}

// sendLive sends the output that came since the last time. What can't be read now comes later, or with the result.
func (t *Stream) sendLive(ctx context.Context) {
	for t.client.gone == nil {
		events, err := t.Source.Events(ctx, t.last)
		if err != nil {
			t.Log.Warn().Err(err).Str("traceId", t.Trace).Str("job", t.ID).Msg("live events are left out")
		}
		if err != nil || len(events) == 0 {
			return
		}
		for _, ev := range events {
			t.last = ev.ID
			if f, ok := t.Seen.live(ev, &t.rest); ok {
				t.client.event(f.name, f.id.String(), f.data)
			}
		}
		t.client.flush()
	}
}
