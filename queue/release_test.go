// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A job is handed back a hundred times, then it is dead; a replay begins anew.
func TestReleasesAreBounded(t *testing.T) {
	q, tenant := newQueue(t, Options{RetryBackoff: time.Millisecond, RetryMaxDelay: time.Millisecond}), unique("tenant")
	id := enqueue(t, q, tenant)
	for range 2 {
		for n := 1; n <= 101; n++ {
			l := claim(t, q, "w")
			if l.Attempt != 1 {
				t.Fatalf("release %d: attempt %d, want the first", n, l.Attempt)
			}
			got, err := l.Release(t.Context(), "no room")
			want := Queued
			if n == 101 {
				want = Failed
			}
			if err != nil || got != want {
				t.Fatalf("release %d: %s, %v, want %s", n, got, err, want)
			}
		}
		r := wantState(t, q, tenant, id, Failed)
		if r.Error != "no worker could run the job in 101 tries" || r.DeadLetteredAt.IsZero() {
			t.Errorf("record = %+v", r)
		}
		wantActive(t, q, tenant, 0)
		if ok, err := q.Replay(t.Context(), DeadLetter{ID: id, Tenant: tenant}, 3); err != nil || !ok {
			t.Fatalf("replay: %v, %v", ok, err)
		}
	}
}

// The first releases cost a job nothing: another worker may have room. Then it comes back more and more slowly.
func TestReleasePauses(t *testing.T) {
	q, tenant := newQueue(t, Options{RetryBackoff: time.Second}), unique("tenant")
	id, delayed := enqueue(t, q, tenant), "queue:"+q.opts.Name+":delayed"
	for range 8 {
		if _, err := claim(t, q, "w").Release(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		before := time.Now()
		if _, err := claim(t, q, "w").Release(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		due, err := q.rdb.ZScore(t.Context(), delayed, id+" "+tenant).Result()
		if err != nil {
			t.Fatal(err)
		}
		at := time.UnixMilli(int64(due)).Add(-want) // of the step
		if at.Before(before.Truncate(time.Millisecond)) || at.After(time.Now()) {
			t.Errorf("it comes back at %v, want %v after a time between %v and now", time.UnixMilli(int64(due)), want, before)
		}
		q.rdb.ZAdd(t.Context(), delayed, redis.Z{Score: 0, Member: id + " " + tenant}) // now
	}
	if s, err := q.Cancel(t.Context(), tenant, id); err != nil || s != Cancelled {
		t.Errorf("cancel of a job that comes back later: %s, %v", s, err)
	}
}
