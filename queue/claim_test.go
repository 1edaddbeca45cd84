// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

func TestClaimGivesEachJobOnce(t *testing.T) {
	q := newQueue(t, Options{})
	want := map[string]bool{}
	for i := range 60 {
		want[enqueue(t, q, unique([]string{"a", "b", "c"}[i%3]))] = true
	}
	var mu sync.Mutex // guards got
	got := map[string]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				l, _, err := q.tryClaim(t.Context(), taker("w"+string(rune('0'+i))))
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				if l == nil {
					return
				}
				mu.Lock()
				got[l.Job.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range got {
		if n != 1 || !want[id] {
			t.Errorf("job %s was claimed %d times", id, n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d jobs claimed, want %d", len(got), len(want))
	}
}

func TestFairAmongTenants(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	for range 10_000 {
		enqueue(t, q, a)
	}
	claim(t, q, "w")
	claim(t, q, "w")
	enqueue(t, q, b)
	if got := claim(t, q, "w").Job.Tenant; got != b {
		t.Errorf("the next job is of %s, want the newcomer %s", got, b)
	}

	// A tenant that comes with one job at a time gets every second start, no more: leaving and coming back gains nothing.
	var order []string
	for range 10 {
		enqueue(t, q, b)
		for range 2 {
			order = append(order, claim(t, q, "w").Job.Tenant)
		}
	}
	if n := count(order, b); n != 10 {
		t.Errorf("of 20 starts %d were b's, want 10: %v", n, order)
	}
}

func TestLeavingAndComingBackDoesNotStarveOthers(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	for range 50 {
		enqueue(t, q, a)
	}
	var order []string
	for range 20 { // b always has exactly one job when a worker comes
		if c, err := q.Counts(t.Context()); err != nil || c.Waiting == int64(50-count(order, a)) {
			enqueue(t, q, b)
		}
		order = append(order, claim(t, q, "w").Job.Tenant)
	}
	if n := count(order, a); n != 10 {
		t.Errorf("of 20 starts %d were a's, want 10: %v", n, order)
	}
}

func count(list []string, s string) int {
	n := 0
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}

func TestPriorityThenAge(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	var ids []string
	for _, p := range []Priority{Low, Normal, High, Normal, High, Low} {
		s := submission(tenant, unique("job"))
		s.Priority = p
		ids = append(ids, enqueueSub(t, q, s))
	}
	var got []string
	for range ids {
		got = append(got, claim(t, q, "w").Job.ID)
	}
	want := []string{ids[2], ids[4], ids[1], ids[3], ids[0], ids[5]}
	if !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
}

func TestPriorityDoesNotReachOtherTenants(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	for range 4 {
		s := submission(a, unique("job"))
		s.Priority = High
		enqueueSub(t, q, s)
	}
	enqueue(t, q, b)
	first, second := claim(t, q, "w").Job.Tenant, claim(t, q, "w").Job.Tenant
	if first == second {
		t.Errorf("both first starts are %s's, want one each", first)
	}
}

// TestFullTenants: their jobs are left to others, and nothing is lost by it.
func TestFullTenants(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	enqueue(t, q, a)
	enqueue(t, q, a)
	if l, wait, err := q.tryClaim(t.Context(), taker("w"), a); l != nil || wait != heldPause || err != nil {
		t.Fatalf("%v, %v, %v, want nothing for %v", l, wait, err, heldPause)
	}
	enqueue(t, q, b)
	if l, _, err := q.tryClaim(t.Context(), taker("w"), a); err != nil || l == nil || l.Job.Tenant != b {
		t.Fatalf("%v, %v, want a job of %s", l, err, b)
	}
	// b, which was served before, is not before a now.
	enqueue(t, q, b)
	for _, want := range []string{a, a, b} {
		if got := claim(t, q, "w").Job.Tenant; got != want {
			t.Errorf("the next job is of %s, want %s", got, want)
		}
	}
	if l, wait, err := q.tryClaim(t.Context(), taker("w"), a, b); l != nil || wait == heldPause || err != nil {
		t.Errorf("%v, %v, %v when nothing waits", l, wait, err)
	}
}

// TestClaimWhenTenantsMayHaveMore: a claim that leaves jobs to others takes one when it may.
func TestClaimWhenTenantsMayHaveMore(t *testing.T) {
	q, a := newQueue(t, Options{}), unique("a")
	id := enqueue(t, q, a)
	asked, changed := 0, make(chan struct{}, 1)
	l, err := q.Claim(patience.Context(t), Claimer{Worker: "w", Languages: []string{"python"}, Changed: changed, Full: func() []string {
		if asked++; asked > 3 {
			return nil
		}
		select {
		case changed <- struct{}{}:
		default:
		}
		return []string{a}
	}})
	if err != nil || l.Job.ID != id || asked != 4 {
		t.Errorf("%v, %v after it was asked %d times, want %s after 4", l, err, asked, id)
	}
}

// Priorities hold however many jobs a queue has had.
func TestPriorityAfterManyJobs(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	var want []string
	for i, p := range []Priority{Low, Normal, High} {
		s := submission(tenant, unique("job"))
		s.Priority = p
		q.rdb.Set(t.Context(), q.keys.of("ORDER"), int64(i)<<48, 0)
		want = append([]string{enqueueSub(t, q, s)}, want...)
	}
	for _, id := range want {
		if got := claim(t, q, "w").Job.ID; got != id {
			t.Errorf("claimed %s, want %s: High, Normal, Low", got, id)
		}
	}
}

// A lease counts from when its claim was sent: an answer that comes late makes it no longer than Redis says.
func TestLeaseCountsFromTheClaim(t *testing.T) {
	q := newServer(t)
	enqueue(t, q, unique("tenant"))
	if err := q.rdb.Do(t.Context(), "CLIENT", "PAUSE", 300, "WRITE").Err(); err != nil { // milliseconds
		t.Fatal(err)
	}
	begin := time.Now()
	l := claim(t, q, "w")
	if took, late := time.Since(begin), l.renewed.Sub(begin); late > took/2 {
		t.Errorf("the claim took %v, and its lease counts from %v after its beginning", took, late)
	}
}
