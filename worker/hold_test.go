// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// The worker holds its task from before a job runs until its end is stored, each job once, also when it hands jobs back.
func TestHold(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	var held, most atomic.Int64
	hold := func() func() {
		most.Store(max(most.Load(), held.Add(1)))
		return func() { held.Add(-1) }
	}
	started, finish := make(chan struct{}, 3), make(chan struct{})
	stop := startWorker(t, q, fake{run: func(ctx context.Context, s job.Spec) (job.Result, error) {
		if held.Load() < 1 {
			t.Error("a job runs, and the task is not held")
		}
		started <- struct{}{}
		select {
		case <-finish:
			return good(s), nil
		case <-ctx.Done():
			return job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}, nil
		}
	}}, Options{Concurrency: 3, Drain: time.Millisecond, Hold: hold})
	var ids []string
	for range 3 {
		ids = append(ids, enqueue(t, q))
	}
	for range 3 {
		patience.Receive(t, started, "a job starts")
	}
	finish <- struct{}{}
	patience.Until(t, "one job has ended", func() (bool, string) { return held.Load() == 2, "" })
	ended := 0
	for _, id := range ids {
		if r, err := q.Get(t.Context(), tenant, id); err == nil && r.Status == queue.Succeeded {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("%d results are stored when one job is let go, want 1", ended)
	}
	stop()
	if held.Load() != 0 || most.Load() != 3 {
		t.Errorf("%d are held at the end, %d at most; want 0 and 3", held.Load(), most.Load())
	}
}
