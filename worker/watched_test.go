package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// changing is a backend whose state tests change.
type changing struct {
	fake
	mu    sync.Mutex
	away  error
	names []string
}

func (c *changing) set(away error, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away, c.names = away, names
}

func (c *changing) Ready(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away
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

// wantFleet waits until the queue says that.
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

// A worker whose backend is away says so though it has nothing to do, and takes no job until it is back.
func TestAwayIsTold(t *testing.T) {
	q := open(t, newRedis(t), queue.Options{})
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
	wantFleet(t, q, 0, 0, "") // it takes its word back
}

// What the daemon's store has changes while the worker waits: it is told, and a job in a language that went waits until it is back.
func TestLanguagesComeAndGo(t *testing.T) {
	q := open(t, newRedis(t), queue.Options{})
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

// A job whose language went after it was taken is handed back.
func TestVanishedLanguage(t *testing.T) {
	q := open(t, newRedis(t), queue.Options{})
	b := &changing{names: []string{"python"}}
	refused := make(chan struct{}, 1)
	var again atomic.Bool
	b.fake.run = func(_ context.Context, s job.Spec) (job.Result, error) {
		if again.Load() {
			return good(s), nil
		}
		b.set(nil, "ruby")
		refused <- struct{}{}
		return job.Result{}, job.Invalid("language", `is "python", which is not offered here: use ruby`)
	}
	startWorker(t, q, b, Options{})
	id := enqueue(t, q)
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

// Redis that does not answer for so long that the job must be stopped costs it no attempt.
func TestRedisAwayCostsNoAttempt(t *testing.T) {
	r := newRedis(t)
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
	r.kill()
	patience.Receive(t, stopped, "the worker stops what it has no lease for")
	r.start(t)
	awaitRedis(t, q)
	if rec := wantEnd(t, q, "job-once", queue.Succeeded); rec.AttemptsMade != 1 || runs.Load() != 2 {
		t.Errorf("%d attempts, %d runs, want one attempt that counts, of two", rec.AttemptsMade, runs.Load())
	}
	wantNoneActive(t, q)
}
