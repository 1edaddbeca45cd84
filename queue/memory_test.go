// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
)

// newServer starts a redis-server of the test's own and returns a queue on it.
func newServer(t *testing.T) *Queue {
	t.Helper()
	return openQueue(t, redistest.New(t).URL(), Options{})
}

// bound gives Redis that much memory, and has the queue look at it at once.
func bound(t *testing.T, q *Queue, bytes int64) {
	t.Helper()
	if err := q.rdb.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(bytes)).Err(); err != nil {
		t.Fatal(err)
	}
	q.memory.at = time.Time{}
}

// With a Redis that has no memory left nothing is admitted, and all that was admitted goes on: leases, ends of every kind, the counting of
// requests, deletions. What only helps is left out.
func TestRedisIsFull(t *testing.T) {
	q := newServer(t)
	ctx, tenant := t.Context(), unique("tenant")
	var leases []*Lease
	for range 6 {
		s := submission(tenant, unique("job"))
		s.Webhook = Webhook{"https://example.com/", "0123456789abcdef"}
		enqueueSub(t, q, s)
		leases = append(leases, claim(t, q, "w"))
	}
	waits := enqueue(t, q, tenant)
	if err := leases[5].Complete(ctx, outcome("x")); err != nil {
		t.Fatal(err)
	}
	sent := claimDelivery(t, q)
	for _, looked := range []bool{false, true} { // the first one is admitted by what was seen of the memory before
		bound(t, q, 1)
		if !looked {
			q.memory.at = time.Now()
		}
		if _, err := q.Submit(ctx, submission(tenant, unique("job"))); !errors.Is(err, ErrFull) {
			t.Errorf("submit, memory looked at %v: %v, want ErrFull", looked, err)
		}
	}
	result := outcome("")
	result.Result.Steps[0].Stdout = noise(job.MiB)
	for _, tt := range []struct {
		name string
		step func() error
	}{
		{"renew", func() error { return leases[0].Extend(ctx) }},
		{"complete", func() error { return leases[0].Complete(ctx, result) }},
		{"retry", func() error { _, err := leases[1].Retry(ctx, Fault{Message: "m"}); return err }},
		{"fail", func() error { return leases[2].Fail(ctx, Fault{Message: "m"}) }},
		{"release", func() error { _, err := leases[3].Release(ctx, "no room"); return err }},
		{"cancel", func() error { _, err := q.Cancel(ctx, tenant, leases[4].Job.ID); return err }},
		{"cancel one that waits", func() error { _, err := q.Cancel(ctx, tenant, waits); return err }},
		{"delete", func() error { return q.Purge(ctx, tenant, leases[5].Job.ID) }},
		{"count", func() error {
			_, err := q.Rate(ctx, RateRequest{Tenant: tenant, Limit: 9, Window: time.Minute})
			return err
		}},
		{"count and read", func() error {
			_, _, err := q.RateAndLook(ctx, RateRequest{Tenant: tenant, Limit: 9, Window: time.Minute}, leases[1].Job.ID)
			return err
		}},
		{"usage", func() error { _, err := q.Usage(ctx, tenant); return err }},
		{"history", func() error { _, err := q.History(ctx, tenant, HistoryQuery{Limit: 9}); return err }},
		{"announce", func() error { return q.PublishRuntimes(ctx, "w", []job.Language{{Name: "python"}}, time.Minute) }},
		{"fleet", func() error { _, err := q.Fleet(ctx); return err }},
		{"sweep", func() error { _, err := q.Sweep(ctx); return err }},
		{"archive", func() error { _, err := q.HoldArchive(ctx, "holder", time.Minute); return err }},
		{"take the depth", func() error { _, err := q.TakeDepth(ctx, time.Minute, time.Second); return err }},
		{"note delivery", func() error { return q.Delivered(ctx, sent, DeliveryAttempt{Attempt: 1}, 0) }},
		{"audit", func() error { return q.Audit(ctx, tenant, "a", "", struct{}{}) }},
	} {
		if err := tt.step(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	wantState(t, q, tenant, leases[0].Job.ID, Succeeded)
	if n := len(get(t, q, tenant, leases[0].Job.ID).Result.Steps[0].Stdout.Data); n != job.MiB {
		t.Errorf("%d bytes of output are stored, want all", n)
	}
	l := claim(t, q, "w") // what was released or is retried
	if err := l.Emit(ctx, []job.Event{{Type: job.EventStdout, Data: []byte("x")}}); err == nil {
		t.Error("live events are stored in a Redis that is full")
	}
	if err := l.Complete(ctx, outcome("x")); err != nil {
		t.Errorf("complete what was claimed since: %v", err)
	}
	bound(t, q, 0)
	if _, err := q.Submit(ctx, submission(tenant, unique("job"))); err != nil {
		t.Errorf("submit when there is memory again: %v", err)
	}
}

// While memory gets short, who has stored much is refused first; and the last part of it is for nobody.
func TestRedisIsNearlyFull(t *testing.T) {
	q := newServer(t)
	big, small := unique("big"), unique("small")
	for range 4 {
		s := submission(big, unique("job"))
		s.Spec.Stdin = noise(1_000_000).Data
		enqueueSub(t, q, s)
	}
	submit := func(tenant string) error {
		s := submission(tenant, unique("job"))
		s.RequestLimit, s.Window = 100, time.Minute
		a, err := q.Submit(t.Context(), s)
		if a.Requests.Used == 0 {
			t.Errorf("a submission of %s was not counted", tenant)
		}
		return err
	}
	m, err := q.Memory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		left       int64 // of what may be used for submissions, bytes
		big, small error
	}{{20 << 20, nil, nil}, {2 << 20, ErrFull, nil}, {-1 << 20, ErrFull, ErrFull}} {
		bound(t, q, (m.Used+tt.left)/fullPercent*100)
		if err := submit(big); !errors.Is(err, tt.big) {
			t.Errorf("%d MiB left, who has stored 4 MB: %v, want %v", tt.left>>20, err, tt.big)
		}
		if err := submit(small); !errors.Is(err, tt.small) {
			t.Errorf("%d MiB left, who has stored nothing: %v, want %v", tt.left>>20, err, tt.small)
		}
	}
}

func TestMemory(t *testing.T) {
	q := newServer(t)
	m, err := q.Memory(t.Context())
	if err != nil || m.Used < 100_000 || m.Max != 0 || m.Policy != "noeviction" || m.Host < 64<<20 {
		t.Errorf("%+v, %v", m, err)
	}
	for _, tt := range []struct {
		m    Memory
		room int64
		ok   bool
		risk bool
	}{
		{Memory{Used: 50, Max: 1000, Policy: "noeviction", Host: 100_000}, 800, true, false},
		{Memory{Used: 900, Max: 1000, Policy: "noeviction", Host: 100_000}, -50, true, false},
		{Memory{Used: 50, Policy: "noeviction", Host: 10_000}, 8450, true, true},
		{Memory{Used: 50, Max: 1000, Policy: "allkeys-lru"}, 800, true, true},
		{Memory{Used: 50, Policy: "noeviction"}, -50, false, true},
	} {
		if room, ok := tt.m.room(); room != tt.room || ok != tt.ok || (tt.m.Risk() != "") != tt.risk {
			t.Errorf("%+v: room %d, %v, risk %q", tt.m, room, ok, tt.m.Risk())
		}
	}
	if m := parseMemory("# Memory\r\nused_memory:100\r\nmem_not_counted_for_evict:10\r\nmaxmemory:5\r\nmaxmemory_policy:allkeys-lru\r\n\r\nx\r\n:\r\n"); m != (Memory{Used: 90, Max: 5, Policy: "allkeys-lru"}) {
		t.Errorf("%+v", m)
	}
}
