// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

func TestPoisonedPayload(t *testing.T) {
	for _, tt := range []struct{ name, field, value string }{
		{"not JSON", "spec", "{"},
		{"no spec", "spec", ""},
		{"another job's", "spec", `{"id":"x","tenant":"y","language":"python"}`},
		{"nothing to run", "sourceCode", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, tenant := newQueue(t, Options{}), unique("tenant")
			bad := enqueue(t, q, tenant)
			if err := q.rdb.HSet(t.Context(), q.keys.job(bad), tt.field, tt.value).Err(); err != nil {
				t.Fatal(err)
			}
			good := enqueue(t, q, tenant)
			if l := claim(t, q, "w"); l.Job.ID != good {
				t.Errorf("claimed %s, want the good job %s", l.Job.ID, good)
			}
			r := wantState(t, q, tenant, bad, Failed)
			if r.FailureCategory != "infrastructure" || r.Error == "" || r.DeadLetteredAt.IsZero() {
				t.Errorf("record = %+v, want a dead-lettered infrastructure failure with a message", r)
			}
			wantActive(t, q, tenant, 1)
			dead, err := q.DeadLetters(t.Context(), 10)
			if err != nil || len(dead) != 1 || dead[0].ID != bad || dead[0].Tenant != tenant || dead[0].Cause == "" {
				t.Errorf("dead letters = %+v, %v, want %s with its cause", dead, err, bad)
			}
		})
	}
}

func TestDeletedJobGivesItsSlotBack(t *testing.T) {
	q, tenant := newQueue(t, Options{Lease: 100 * time.Millisecond}), unique("tenant")
	waiting, running := enqueue(t, q, tenant), enqueue(t, q, tenant)
	_ = waiting
	claim(t, q, "w")
	if err := q.rdb.Del(t.Context(), q.keys.job(waiting), q.keys.job(running)).Err(); err != nil {
		t.Fatal(err)
	}
	last := enqueue(t, q, tenant)
	l := claim(t, q, "w")
	if l.Job.ID != last {
		t.Fatalf("claimed %s, want %s", l.Job.ID, last)
	}
	if err := l.Complete(t.Context(), outcome("")); err != nil {
		t.Fatal(err)
	}
	// The lease of the deleted running job ends; then nothing holds a slot.
	patience.Until(t, "the tenant has no active job", func() (bool, string) {
		wantEmpty(t, q)
		u, err := q.Usage(t.Context(), tenant)
		return err == nil && u.ActiveJobs == 0, fmt.Sprint(u, err)
	})
	wantActive(t, q, tenant, 0)
}
