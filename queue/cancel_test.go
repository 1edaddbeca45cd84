// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

func TestCancelWaiting(t *testing.T) {
	q, tenant := newQueue(t, Options{RetryBackoff: time.Hour, RetryMaxDelay: time.Hour}), unique("tenant")
	queued := enqueue(t, q, tenant)
	if s, err := q.Cancel(t.Context(), tenant, queued); err != nil || s != Cancelled {
		t.Fatalf("cancel a queued job = %s, %v", s, err)
	}
	delayed := enqueue(t, q, tenant)
	if _, err := claim(t, q, "w").Retry(t.Context(), Fault{}); err != nil {
		t.Fatal(err)
	}
	if s, err := q.Cancel(t.Context(), tenant, delayed); err != nil || s != Cancelled {
		t.Fatalf("cancel a delayed job = %s, %v", s, err)
	}
	wantEmpty(t, q)
	wantActive(t, q, tenant, 0)
	if s, err := q.Cancel(t.Context(), tenant, queued); err != nil || s != Cancelled {
		t.Errorf("cancel again = %s, %v, want the state", s, err)
	}
	if _, err := q.Cancel(t.Context(), unique("other"), queued); !errors.Is(err, ErrNotFound) {
		t.Errorf("cancel another tenant's job = %v, want ErrNotFound", err)
	}
	if c, err := q.Counts(t.Context()); err != nil || c != (Counts{Cancelled: 2, Retried: 1}) {
		t.Errorf("counts = %+v, %v, want 2 cancelled", c, err)
	}
}

func TestCancelRequestOutlivesTheWorker(t *testing.T) {
	q, tenant := newQueue(t, Options{Lease: shortLease}), unique("tenant")
	for name, end := range map[string]func(*Lease) error{
		"expiry":  func(*Lease) error { return nil },
		"release": func(l *Lease) error { _, err := l.Release(t.Context(), "x"); return err },
		"retry":   func(l *Lease) error { _, err := l.Retry(t.Context(), Fault{}); return err },
	} {
		id := enqueue(t, q, tenant)
		l := claim(t, q, "w")
		if _, err := q.Cancel(t.Context(), tenant, id); err != nil {
			t.Fatal(err)
		}
		if err := end(l); err != nil {
			t.Fatal(err)
		}
		patience.Until(t, name+": the job is cancelled", func() (bool, string) { // an expired lease is seen by the next claim
			other, _, err := q.tryClaim(t.Context(), taker("other"))
			if other != nil || err != nil {
				t.Fatalf("%s: claimed %+v, %v, want nothing: the job is cancelled", name, other, err)
			}
			state := get(t, q, tenant, id).Status
			return state == Cancelled, string(state)
		})
		wantActive(t, q, tenant, 0)
	}
}

func TestCancelAgainstClaim(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	var ids []string
	for range 40 {
		ids = append(ids, enqueue(t, q, tenant))
	}
	var wg sync.WaitGroup
	states := make([]State, len(ids))
	for i, id := range ids {
		wg.Go(func() {
			var err error
			if states[i], err = q.Cancel(t.Context(), tenant, id); err != nil {
				t.Errorf("cancel: %v", err)
			}
		})
	}
	claimed := make(chan string, len(ids))
	for range 4 {
		wg.Go(func() {
			for {
				l, _, err := q.tryClaim(t.Context(), taker("w"))
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				if l == nil {
					return
				}
				claimed <- l.Job.ID
			}
		})
	}
	wg.Wait()
	close(claimed)
	var started []string
	for id := range claimed {
		started = append(started, id)
	}
	for i, id := range ids {
		if was := slices.Contains(started, id); was == (states[i] == Cancelled) {
			t.Errorf("job %s: claimed %v, cancel said %s: want exactly one of the two", id, was, states[i])
		}
	}
	wantActive(t, q, tenant, int64(len(started)))
}
