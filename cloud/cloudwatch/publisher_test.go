// SPDX-License-Identifier: Apache-2.0

package cloudwatch

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/queue"
)

// source gives out a round whenever the number of pending jobs has changed to or from 0.
type source struct {
	mu      sync.Mutex // guards the rest
	pending int64
	last    int64 // -1: nothing was published
	asked   int
	err     error
	always  bool // each question begins a round
}

func (s *source) TakeDepth(context.Context, time.Duration, time.Duration) (queue.DepthRound, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	mine := s.always || s.last < 0 || (s.last == 0) != (s.pending == 0)
	if mine {
		s.last = s.pending
	}
	return queue.DepthRound{Mine: mine, Idle: s.last == 0, Next: time.Hour,
		Depth: queue.Depth{At: time.Now(), Pending: s.pending, Waiting: s.pending, Stuck: s.pending}}, s.err
}

func (s *source) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func newPublisher(t *testing.T, s *source, log *bytes.Buffer) *Publisher {
	t.Helper()
	o := options()
	o.Log = zerolog.New(log)
	p, err := New(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	p.least = 0
	return p
}

// One request has all metrics, with the contract's names, dimensions and unit.
func TestPut(t *testing.T) {
	server, s := newQueryServer(t), &source{pending: 3, last: -1}
	p := newPublisher(t, s, new(bytes.Buffer))
	if next := p.round(t.Context()); next != time.Hour {
		t.Errorf("next round in %v", next)
	}
	got := patience.Receive(t, server.puts, "a request")
	if got.namespace != "CCEE" || len(got.metrics) != 3 {
		t.Fatalf("%+v", got)
	}
	dimensions := map[string]string{"QueueName": "code-jobs", "Service": "ccee-worker"}
	want := map[string]float64{"PendingJobsCount": 3, "PendingJobsScaleSignal": 26, "BacklogPerWorker": 3}
	for _, m := range got.metrics {
		if m.value != want[m.name] || m.unit != "Count" || !maps.Equal(m.dimensions, dimensions) {
			t.Errorf("%+v, want the value %v", m, want[m.name])
		}
		delete(want, m.name)
	}
	if len(want) > 0 {
		t.Errorf("no metric %v", want)
	}
}

// The longest names that are allowed, escaped threefold, stay within the bounds of a request.
func TestPutOfLongestNames(t *testing.T) {
	server, s := newQueryServer(t), &source{pending: 3, last: -1}
	o := options()
	o.Namespace, o.CountName, o.SignalName = strings.Repeat("%", 255), strings.Repeat("&", 255), strings.Repeat("=", 255)
	o.Service, o.QueueName = strings.Repeat("+", 1024), strings.Repeat("/", 1024)
	p, err := New(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	p.round(t.Context())
	got := patience.Receive(t, server.puts, "a request")
	if got.namespace != o.Namespace || got.metrics[1].dimensions["QueueName"] != o.QueueName {
		t.Errorf("%.100v", got)
	}
}

// The first job of an idle queue is published at once; further ones ask nobody until the round is over.
func TestFirstSubmission(t *testing.T) {
	server, s := newQueryServer(t), &source{last: -1}
	p := newPublisher(t, s, new(bytes.Buffer))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	if got := patience.Receive(t, server.puts, "the round at the start"); got.metrics[0].value != 0 || got.metrics[1].value != 0 {
		t.Errorf("at the start: %+v", got)
	}
	s.set(func() { s.pending = 1 })
	p.Submitted()
	if got := patience.Receive(t, server.puts, "the first job"); got.metrics[0].value != 1 {
		t.Errorf("the first job: %+v", got)
	}
	for range 1000 {
		p.Submitted()
	}
	cancel()
	running.Wait()
	if s.asked != 2 || len(server.puts) > 0 {
		t.Errorf("the queue was asked %d times, and %d more requests were made; want 2 and none", s.asked, len(server.puts))
	}
}

// Between two questions to the queue at least the least time passes, however many jobs are submitted.
func TestSubmissionsAreThrottled(t *testing.T) {
	newQueryServer(t)
	s := &source{last: -1}
	p := newPublisher(t, s, new(bytes.Buffer))
	p.idle, p.least, p.asked = true, time.Hour, time.Now()
	p.Submitted()
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan struct{})
	go func() { p.wait(ctx, time.Hour); close(waited) }()
	patience.Until(t, "the submission is noticed", func() (bool, string) { return len(p.submitted) == 0, "" })
	select {
	case <-waited:
		t.Error("the next round came at once")
	default:
	}
	cancel()
	patience.Receive(t, waited, "the end")
}

// An outage is logged once when it begins and once when it ends, whatever happens in between, and each failed round is counted. A process
// whose requests fail comes later than the others.
func TestOutage(t *testing.T) {
	server, s, log := newQueryServer(t), &source{pending: 1, last: -1, always: true}, new(bytes.Buffer)
	p := newPublisher(t, s, log)
	for _, code := range []string{"Throttling", "AccessDenied", "InternalFailure"} {
		server.fail <- code
		if next := p.round(t.Context()); next != time.Hour+handicap {
			t.Errorf("after %s the next round is in %v, want later than the others'", code, next)
		}
	}
	s.set(func() { s.err = errors.New("redis is down") })
	for range 2 {
		if next := p.round(t.Context()); next != restDown {
			t.Errorf("without Redis the next try is in %v", next)
		}
	}
	s.set(func() { s.err = nil })
	for range 2 {
		p.round(t.Context())
	}
	text := log.String()
	if begun, over := strings.Count(text, "not published"), strings.Count(text, "published to CloudWatch again"); begun != 2 || over != 2 {
		t.Errorf("%d outages were logged when they began and %d when they ended, want 2 and 2:\n%s", begun, over, text)
	}
	counted := counters(t, p)
	if counted["ccee_cloudwatch_failures_total"] != 5 || counted["ccee_cloudwatch_rounds_total"] != 2 || len(server.puts) != 2 {
		t.Errorf("%v, and %d requests succeeded; want 5 failures, and 2 rounds and requests", counted, len(server.puts))
	}
}

// counters returns p's metrics.
func counters(t *testing.T, p *Publisher) map[string]float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := p.Register(r); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		all[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	return all
}

// Without credentials nothing is sent, and that is logged once.
func TestNoCredentials(t *testing.T) {
	server, s, log := newQueryServer(t), &source{last: -1, always: true}, new(bytes.Buffer)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	p := newPublisher(t, s, log)
	for range 3 {
		p.round(t.Context())
	}
	if len(server.puts) > 0 || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%d requests were made, and the log is\n%s", len(server.puts), log)
	}
}
