// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// awaitRedis returns when the queue's own connections work: its client stays away for a second from a server that refused many.
func awaitRedis(t *testing.T, q *queue.Queue) {
	t.Helper()
	patience.Until(t, "redis-server answers", func() (bool, string) {
		err := q.Ping(t.Context())
		return err == nil, fmt.Sprint(err)
	})
}

func open(t *testing.T, r *redistest.Server, opts queue.Options) *queue.Queue {
	t.Helper()
	q, err := queue.Open(r.URL(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// fake is a Backend made of functions; without ready it is ready.
type fake struct {
	stream func(context.Context, job.Spec, func(job.Event)) (job.Result, error) // instead of run
	run    func(context.Context, job.Spec) (job.Result, error)
	ready  func() error
	slots  int
	wait   time.Duration // in the backend
}

func (f fake) Run(ctx context.Context, s job.Spec, on func(job.Event)) (job.Result, error) {
	if f.stream != nil {
		return f.stream(ctx, s, on)
	}
	return f.run(ctx, s)
}
func (f fake) Languages(context.Context) ([]job.Language, error) {
	return []job.Language{{Name: "python"}}, nil
}
func (f fake) Ready(context.Context) (Readiness, error) {
	if f.ready == nil {
		return Readiness{Slots: f.slots, QueueWait: f.wait}, nil
	}
	return Readiness{Slots: f.slots}, f.ready()
}

// good is the result of a program that printed its source.
func good(s job.Spec) job.Result {
	zero := 0
	return job.Result{Status: job.Succeeded, Verdict: job.Exited, ExitCode: &zero, WallMs: 1,
		Steps: []job.Step{{Name: "run", Verdict: job.Exited, ExitCode: &zero, Stdout: job.Output{Data: []byte(s.Source), Bytes: int64(len(s.Source))}}}}
}

// startWorker runs a worker until the test, or the function returned, ends it.
func startWorker(t *testing.T, q *queue.Queue, b Backend, opts Options) (stop func()) {
	t.Helper()
	if f, ok := b.(fake); opts.Concurrency == 0 && !(ok && f.slots > 0) {
		opts.Concurrency = 4
	}
	if opts.Drain == 0 {
		opts.Drain = 5 * time.Second
	}
	opts.Log = zerolog.New(zerolog.NewTestWriter(t))
	w, err := New(q, b, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			t.Errorf("worker: %v", err)
		}
	}()
	stop = func() { cancel(); patience.Receive(t, done, "the worker stops") }
	t.Cleanup(stop)
	return stop
}

const tenant = "tenant-a"

var ids atomic.Int64

func enqueue(t *testing.T, q *queue.Queue) string {
	t.Helper()
	return enqueueFor(t, q, tenant)
}

func enqueueFor(t *testing.T, q *queue.Queue, tenant string) string {
	t.Helper()
	id := fmt.Sprintf("job-%d", ids.Add(1))
	_, err := q.Submit(t.Context(), queue.Submission{
		Spec:    job.Spec{ID: id, Tenant: tenant, Language: "python", Source: "source of " + id},
		Request: queue.Request{TimeoutMs: 3000, MemoryMb: 128, CPUMillicores: 256}, MaxConcurrent: 1000, MaxDaily: 1000, MaxAttempts: 3,
	})
	if err != nil {
		t.Fatalf("enqueue: %v", err)
	}
	return id
}

// wantEnd waits for the job's end and checks its state.
func wantEnd(t *testing.T, q *queue.Queue, id string, want queue.State) queue.Record {
	t.Helper()
	return wantEndOf(t, q, tenant, id, want)
}

func wantEndOf(t *testing.T, q *queue.Queue, tenant, id string, want queue.State) queue.Record {
	t.Helper()
	r, err := q.Wait(patience.Context(t), tenant, id)
	if err != nil || r.Status != want {
		t.Fatalf("job %s is %s (error %q, wait %v), want %s", id, r.Status, r.Error, err, want)
	}
	return r
}

func wantNoneActive(t *testing.T, q *queue.Queue) {
	t.Helper()
	if u, err := q.Usage(t.Context(), tenant); err != nil || u.ActiveJobs != 0 {
		t.Errorf("usage = %+v, %v, want no active jobs", u, err)
	}
}
