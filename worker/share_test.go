// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"fmt"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// TestShare: how many jobs each tenant gets when all want as many as they can have, one after the other.
func TestShare(t *testing.T) {
	for _, tt := range []struct {
		slots, percent int
		want           []int
	}{
		{1, 75, []int{1}},
		{2, 75, []int{2}},
		{4, 75, []int{3, 1}},
		{16, 75, []int{12, 3, 1}},
		{16, 50, []int{8, 4, 2, 1, 1}},
		{16, 100, []int{16}},
	} {
		s := newShare(tt.slots, tt.percent)
		for i, want := range tt.want {
			tenant := fmt.Sprint(i)
			n := 0
			for s.all < tt.slots {
				full := false
				for _, f := range s.full() {
					full = full || f == tenant
				}
				if full {
					break
				}
				s.begin(tenant)
				n++
			}
			if n != want {
				t.Errorf("%d slots, %d %%: tenant %d has %d, want %d", tt.slots, tt.percent, i, n, want)
			}
		}
		for i, n := range tt.want {
			for range n {
				s.end(fmt.Sprint(i))
			}
		}
		if len(s.running) != 0 || s.all != 0 {
			t.Errorf("%d slots: %v, %d are left", tt.slots, s.running, s.all)
		}
	}
}

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
