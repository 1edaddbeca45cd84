// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// The place of a job that another worker has taken over is free at once: nothing is written again and again.
func TestLostLeaseFreesThePlace(t *testing.T) {
	r := redistest.New(t)
	q := open(t, r, queue.Options{})
	started, finish := make(chan string, 2), make(chan struct{})
	reg := prometheus.NewRegistry()
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) {
		started <- s.ID
		<-finish
		return good(s), nil
	}}, Options{Concurrency: 1, Metrics: reg})
	id := enqueue(t, q)
	patience.Receive(t, started, "the job starts")
	// As another worker's claim does.
	r.Do(t, "HINCRBY", "job:"+id, "claims", "1")
	next := enqueue(t, q)
	close(finish)
	wantEnd(t, q, next, queue.Succeeded)
	if rec, err := q.Get(t.Context(), tenant, id); err != nil || rec.Status != queue.Running || rec.Result != nil {
		t.Errorf("%+v, %v, want the job as it was", rec, err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	lost := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "ccee_worker_jobs_total" && m.GetLabel()[0].GetValue() == "lost" {
				lost = m.GetCounter().GetValue()
			}
		}
	}
	if lost != 1 {
		t.Errorf("%v runs are counted as lost, want 1", lost)
	}
}

// After a refusal for lack of room the place stays taken for a moment: one worker alone must not claim the job again at once, again and
// again.
func TestBusyPauses(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	var refused time.Time
	paused := make(chan time.Duration, 1)
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) {
		if refused.IsZero() {
			refused = time.Now()
			return job.Result{}, job.Errorf(job.EBusy, "full")
		}
		paused <- time.Since(refused)
		return good(s), nil
	}}, Options{Concurrency: 1})
	wantEnd(t, q, enqueue(t, q), queue.Succeeded)
	if pause := <-paused; pause < 3*firstPause {
		t.Errorf("the job was tried again after %v", pause)
	}
}

// However many slots a backend claims to have, a worker has a bounded number of places.
func TestPlacesAreBounded(t *testing.T) {
	for slots, want := range map[int]int{1: 1, 100: 100, MaxConcurrency + 1: MaxConcurrency, 0: mostStarting} {
		w := &Worker{backend: newMonitor(fake{slots: slots}, nil), opts: Options{TenantShare: 100}}
		if p := w.makePlaces(t.Context()); cap(p.all) != want || cap(p.starting) != min(want, mostStarting) {
			t.Errorf("%d slots: %d places, %d for those that have not begun; want %d", slots, cap(p.all), cap(p.starting), want)
		}
	}
}
