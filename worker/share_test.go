// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// TestTenantShare: a tenant with many slow jobs leaves a slot, which another's job gets at once, and goes on when one of its own ends.
func TestTenantShare(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	started, end := make(chan string, 10), make(chan struct{})
	startWorker(t, q, fake{run: func(ctx context.Context, s job.Spec) (job.Result, error) {
		if s.Tenant == tenant {
			started <- s.ID
			select {
			case <-end:
			case <-ctx.Done():
				return job.Result{}, ctx.Err()
			}
		}
		return good(s), nil
	}}, Options{Concurrency: 4, TenantShare: 75})
	var slow []string
	for range 5 {
		slow = append(slow, enqueue(t, q))
	}
	for range 3 {
		patience.Receive(t, started, "three jobs run")
	}
	for range 3 { // one after the other, in the slot that is left
		wantEndOf(t, q, "other", enqueueFor(t, q, "other"), queue.Succeeded)
	}
	if n := len(started); n != 0 {
		t.Errorf("%d more of the first tenant's jobs run, beside 3 of 4", n)
	}
	for range 5 {
		end <- struct{}{}
	}
	for _, id := range slow {
		wantEnd(t, q, id, queue.Succeeded)
	}
}
