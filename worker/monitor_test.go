// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// changing is a backend whose state tests change.
type changing struct {
	fake
	mu       sync.Mutex
	down     error
	names    []string
	warnings []string
}

func (c *changing) set(down error, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down, c.names = down, names
}

func (c *changing) Ready(context.Context) (Readiness, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Readiness{Warnings: c.warnings}, c.down
}

func (c *changing) Languages(context.Context) ([]job.Language, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []job.Language
	for _, name := range c.names {
		list = append(list, job.Language{Name: name})
	}
	return list, nil
}

// wantFleet waits until the queue has that fleet.
func wantFleet(t *testing.T, q *queue.Queue, workers, ready int, now string) {
	t.Helper()
	patience.Until(t, fmt.Sprintf("%d workers, %d ready, with %s", workers, ready, now), func() (bool, string) {
		f, err := q.Fleet(t.Context())
		var names []string
		for _, l := range f.Now {
			names = append(names, l.Name)
		}
		return err == nil && f.Workers == workers && f.Ready == ready && strings.Join(names, " ") == now, fmt.Sprintf("%+v %v", f, err)
	})
}

// A worker whose backend is not ready announces that although it has nothing to do, and claims no job until it is ready.
func TestOutageIsAnnounced(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	var runs atomic.Int64
	b := &changing{names: []string{"python"}}
	b.fake.run = func(_ context.Context, s job.Spec) (job.Result, error) { runs.Add(1); return good(s), nil }
	reg := prometheus.NewRegistry()
	stop := startWorker(t, q, b, Options{Metrics: reg})
	gauge := func(want float64) {
		t.Helper()
		families, err := reg.Gather()
		for _, f := range families {
			if f.GetName() == "ccee_worker_backend_ready" && f.GetMetric()[0].GetGauge().GetValue() == want {
				return
			}
		}
		t.Errorf("ccee_worker_backend_ready is not %v: %v", want, err)
	}
	wantFleet(t, q, 1, 1, "python")
	gauge(1)
	b.set(errors.New("no daemon is running"))
	wantFleet(t, q, 1, 0, "")
	gauge(0)
	id := enqueue(t, q)
	b.set(nil, "python")
	wantFleet(t, q, 1, 1, "python")
	gauge(1)
	if r := wantEnd(t, q, id, queue.Succeeded); r.AttemptsMade != 1 || runs.Load() != 1 {
		t.Errorf("%d attempts, %d runs, want one", r.AttemptsMade, runs.Load())
	}
	stop()
	if f, err := q.Fleet(t.Context()); err != nil || f.Workers != 0 { // at once: it has withdrawn its record
		t.Errorf("after the stop: %+v, %v, want no worker", f, err)
	}
}

// What the backend warns of while it can run jobs reaches the queue, and leaves it when it is over or the worker stops.
func TestWarningsAreAnnounced(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	b := &changing{names: []string{"python"}, warnings: []string{"the image of ruby is left out"}}
	stop := startWorker(t, q, b, Options{ID: "w1"})
	want := func(warnings string) {
		t.Helper()
		patience.Until(t, "the warnings "+warnings, func() (bool, string) {
			f, err := q.Fleet(t.Context())
			got := fmt.Sprint(f.Warnings)
			return err == nil && got == warnings, fmt.Sprint(got, err)
		})
	}
	want("map[w1:[the image of ruby is left out]]")
	b.mu.Lock()
	b.warnings = nil
	b.mu.Unlock()
	want("map[]")
	b.mu.Lock()
	b.warnings = []string{"again"}
	b.mu.Unlock()
	want("map[w1:[again]]")
	stop()
	if f, err := q.Fleet(t.Context()); err != nil || len(f.Warnings) != 0 {
		t.Errorf("after the stop: %+v, %v, want no warnings", f, err)
	}
}

// A backend without languages can run nothing, whatever it says.
func TestNoLanguagesIsNotReady(t *testing.T) {
	m := newMonitor(&changing{}, nil)
	m.check(t.Context(), zerolog.Nop())
	if s := m.current(); s.err == nil || len(s.names) != 0 {
		t.Errorf("%v, %v, want that it is not ready", s.names, s.err)
	}
}

// The daemon's languages change while the worker waits: that is announced, and a job in a language that went waits until it is back.
func TestLanguagesComeAndGo(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	b := &changing{names: []string{"ruby"}}
	b.fake.run = func(_ context.Context, s job.Spec) (job.Result, error) { return good(s), nil }
	startWorker(t, q, b, Options{})
	wantFleet(t, q, 1, 1, "ruby")
	id := enqueue(t, q)
	b.set(nil, "python", "ruby")
	wantEnd(t, q, id, queue.Succeeded)
	wantFleet(t, q, 1, 1, "python ruby")
	b.set(nil, "ruby")
	wantFleet(t, q, 1, 1, "ruby")
	waits := enqueue(t, q)
	if r, err := q.Get(t.Context(), tenant, waits); err != nil || r.Status != queue.Queued {
		t.Errorf("the job is %s, %v, want queued", r.Status, err)
	}
	b.set(nil, "python")
	if r := wantEnd(t, q, waits, queue.Succeeded); r.AttemptsMade != 1 {
		t.Errorf("%d attempts, want one", r.AttemptsMade)
	}
}

// A job whose language, or whose checker's, went after it was claimed is handed back; it doesn't fail.
func TestVanishedLanguage(t *testing.T) {
	for name, tests := range map[string]*job.Tests{"of the job": nil, "of its checker": {List: []job.Test{{}}, Checker: &job.Checker{Language: "python", Source: "x"}}} {
		t.Run(name, func(t *testing.T) { vanishedLanguage(t, tests) })
	}
}

func vanishedLanguage(t *testing.T, tests *job.Tests) {
	q := open(t, redistest.New(t), queue.Options{RetryBackoff: time.Millisecond})
	b := &changing{names: []string{"python"}}
	refused := make(chan struct{}, 1)
	var again atomic.Bool
	b.fake.run = func(_ context.Context, s job.Spec) (job.Result, error) {
		if again.Load() {
			return good(s), nil
		}
		b.set(nil, "ruby")
		refused <- struct{}{}
		if s.Tests != nil {
			return job.Result{}, job.Invalid("checker", `language is "python", which is not offered here: use ruby`)
		}
		return job.Result{}, job.Invalid("language", `is "python", which is not offered here: use ruby`)
	}
	startWorker(t, q, b, Options{})
	id := "job-vanished"
	_, err := q.Submit(t.Context(), queue.Submission{
		Spec:          job.Spec{ID: id, Tenant: tenant, Language: "python", Source: "x", Tests: tests},
		MaxConcurrent: 1000, MaxDaily: 1000, MaxAttempts: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	patience.Receive(t, refused, "the daemon refuses the language")
	wantFleet(t, q, 1, 1, "ruby")
	patience.Until(t, "the job waits again", func() (bool, string) {
		r, err := q.Get(t.Context(), tenant, id)
		return err == nil && r.Status == queue.Queued, fmt.Sprint(r.Status, err)
	})
	again.Store(true)
	b.set(nil, "python")
	if r := wantEnd(t, q, id, queue.Succeeded); r.AttemptsMade != 1 {
		t.Errorf("%d attempts, want one", r.AttemptsMade)
	}
}

// Redis that is unreachable for so long that the job must be stopped costs it no attempt.
func TestRedisOutageCostsNoAttempt(t *testing.T) {
	r := redistest.NewDurable(t)
	q := open(t, r, queue.Options{})
	started, stopped := make(chan struct{}, 1), make(chan struct{}, 1)
	var runs atomic.Int64
	startWorker(t, q, fake{run: func(ctx context.Context, s job.Spec) (job.Result, error) {
		if runs.Add(1) > 1 {
			return good(s), nil
		}
		started <- struct{}{}
		<-ctx.Done()
		stopped <- struct{}{}
		return job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}, nil
	}}, Options{})
	_, err := q.Submit(t.Context(), queue.Submission{
		Spec:          job.Spec{ID: "job-once", Tenant: tenant, Language: "python", Source: "x"},
		MaxConcurrent: 1000, MaxDaily: 1000, MaxAttempts: 1, // so that an attempt that is lost is the end
	})
	if err != nil {
		t.Fatal(err)
	}
	patience.Receive(t, started, "the job runs")
	r.Kill()
	patience.Receive(t, stopped, "the worker stops what it has no lease for")
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRedis(t, q)
	if rec := wantEnd(t, q, "job-once", queue.Succeeded); rec.AttemptsMade != 1 || runs.Load() != 2 {
		t.Errorf("%d attempts, %d runs, want one attempt that counts, of two", rec.AttemptsMade, runs.Load())
	}
	wantNoneActive(t, q)
}

// A checker that the backend refuses for anything but its language fails the job at once.
func TestBadCheckerFails(t *testing.T) {
	m := newMonitor(&changing{names: []string{"python"}}, nil)
	bad := job.Invalid("checker", "files has no main.py")
	spec := job.Spec{Tests: &job.Tests{Checker: &job.Checker{Language: "python"}}}
	if got := m.vanished(t.Context(), spec, bad); got != error(bad) {
		t.Errorf("%v, want the backend's error", got)
	}
	spec.Tests.Checker.Language = "ruby"
	var e *job.Error
	if got := m.vanished(t.Context(), spec, bad); !errors.As(got, &e) || e.Field != "language" {
		t.Errorf("%v, want that the language is gone", got)
	}
	broken := newMonitor(&noLanguages{}, nil)
	if got := broken.vanished(t.Context(), spec, bad); got != error(bad) {
		t.Errorf("a backend that doesn't answer: %v, want its first error", got)
	}
	if got := m.vanished(t.Context(), spec, nil); got != nil {
		t.Errorf("without an error: %v", got)
	}
}

// noLanguages can't say which languages it has.
type noLanguages struct{ fake }

func (*noLanguages) Languages(context.Context) ([]job.Language, error) {
	return nil, errors.New("connection refused")
}
