// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// source is a job that goes through some states; each read returns the next one.
type source struct {
	states   []queue.Record
	events   []queue.LiveEvent
	fault    error
	revoked  bool
	released int
}

func (s *source) Job(context.Context) (queue.Record, func(), error) {
	if len(s.states) == 0 {
		return queue.Record{}, nil, s.fault
	}
	rec := s.states[0]
	s.states = s.states[1:]
	return rec, func() { s.released++ }, nil
}

func (s *source) Events(_ context.Context, after string) ([]queue.LiveEvent, error) {
	for i, e := range s.events {
		if e.ID == after {
			return s.events[i+1:], s.fault
		}
	}
	return s.events, s.fault
}

func (s *source) Recheck(context.Context) error {
	if s.revoked {
		return errors.New("revoked")
	}
	return nil
}

// run sends the stream of a queued job and then of the source's states, and returns what the client gets.
func run(t *testing.T, s *source, change func(*Stream)) string {
	t.Helper()
	changed := make(chan struct{}, 10)
	for range len(s.states) + 1 {
		changed <- struct{}{}
	}
	log := zerolog.Nop()
	st := &Stream{Source: s, ID: "job-1", Trace: "trace-1", Log: &log, Beat: time.Hour, Changed: changed}
	if change != nil {
		change(st)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	if status := st.Begin(w, r); status != 200 {
		t.Errorf("status %d", status)
	}
	st.Run(patience.Context(t), queue.Record{Status: queue.Queued}, func() { s.released++ })
	return w.Body.String()
}

// names are the events of a stream, and the errors in their data.
func names(body string) string {
	var all []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			all = append(all, strings.TrimSpace(name))
		}
		if _, code, ok := strings.Cut(line, `{"error":"`); ok {
			all = append(all, code[:strings.Index(code, `"`)])
		}
		if strings.HasPrefix(line, ":") {
			all = append(all, "comment")
		}
	}
	return strings.Join(all, " ")
}

// Output comes before the job, the end comes last, and what a record holds is released each time.
func TestStream(t *testing.T) {
	at := time.Unix(1, 0)
	code := 0
	result := &job.Result{Status: job.Succeeded, Verdict: job.Exited, Steps: []job.Step{{Name: "run", ExitCode: &code, Stdout: job.Output{Data: []byte("ab"), Bytes: 2}}}}
	s := &source{
		events: []queue.LiveEvent{{ID: "1-1", Attempt: 1, Event: stdout(0, "a")}},
		states: []queue.Record{{Status: queue.Running, UpdatedAt: at}, {Status: queue.Running, UpdatedAt: at}, {Status: queue.Succeeded, UpdatedAt: at.Add(1), AttemptsMade: 1, Result: result}},
	}
	body := run(t, s, nil)
	if got := names(body); got != "stdout job stdout job done" {
		t.Errorf("events %s in\n%s", got, body)
	}
	if s.released != 4 {
		t.Errorf("%d records were released, want 4", s.released)
	}
	if want := "id: 3.1.0.0.2.0.0.done\ndata: {\"jobId\":\"job-1\",\"executionId\":\"job-1\",\"status\":\"succeeded\",\"traceId\":\"trace-1\"}\n\n"; !strings.HasSuffix(body, want) {
		t.Errorf("the stream ends with\n%s, want\n%s", body, want)
	}
}

// A stream ends, and says why where the client can't know.
func TestStreamEnds(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	for name, tt := range map[string]struct {
		source source
		change func(*Stream)
		want   string
	}{
		"not found":    {source{fault: queue.ErrNotFound}, nil, "error not_found"},
		"a fault":      {source{fault: errors.New("x")}, nil, "error stream_failed"},
		"revoked":      {source{revoked: true}, func(s *Stream) { s.Changed, s.Beat = nil, time.Millisecond }, "error unauthorized"},
		"not watched":  {source{}, func(s *Stream) { s.Changed, s.Closed = nil, closed }, ""},
		"a stop of us": {source{}, func(s *Stream) { s.Changed, s.Draining = nil, closed }, ""},
	} {
		if got := names(run(t, &tt.source, tt.change)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// beating is a source whose credential is revoked after some heartbeats.
type beating struct {
	source
	left int
}

func (b *beating) Recheck(context.Context) error {
	if b.left--; b.left < 0 {
		return errors.New("revoked")
	}
	return nil
}

// With each heartbeat comes a comment, and the output whose notice was lost.
func TestHeartbeat(t *testing.T) {
	b := &beating{source{events: []queue.LiveEvent{{ID: "1-1", Attempt: 1, Event: stdout(0, "a")}}}, 3}
	s := &source{}
	body := run(t, s, func(st *Stream) { st.Source, st.Changed, st.Beat = b, nil, time.Millisecond })
	if got := names(body); got != "stdout comment comment comment error unauthorized" {
		t.Errorf("%s", got)
	}
}

// Each place that is taken is counted, for its tenant and in all.
func TestPlaces(t *testing.T) {
	var p Places
	for range TenantStreams {
		if !p.Take("a") {
			t.Fatal("no place")
		}
	}
	if p.Take("a") || !p.Take("b") || p.Taken() != TenantStreams+1 {
		t.Errorf("%d places are taken", p.Taken())
	}
	p.Give("a")
	if !p.Take("a") || p.Take("a") {
		t.Error("a place that was given back is one")
	}
	for n := p.Taken(); n < ProcessStreams; n++ {
		if !p.Take(fmt.Sprint(n)) {
			t.Fatalf("no place after %d", n)
		}
	}
	if p.Take("c") {
		t.Errorf("more than %d places", ProcessStreams)
	}
}
