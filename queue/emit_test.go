// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

func printed(s string) []job.Event {
	return []job.Event{{Type: job.EventStdout, Step: "run", Data: []byte(s)}}
}

// A worker that lost its lease writes into nobody's events, and brings back none that were deleted.
func TestEmitIsFenced(t *testing.T) {
	q, tenant := newQueue(t, Options{Lease: 100 * time.Millisecond, RetryBackoff: time.Millisecond}), unique("tenant")
	lost := func(when string, l *Lease, want int64) {
		t.Helper()
		if err := l.Emit(t.Context(), printed("late")); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("%s: %v, want ErrLeaseLost", when, err)
		}
		if n := q.rdb.XLen(t.Context(), q.keys.events(l.Job.ID)).Val(); n != want {
			t.Errorf("%s: %d events, want %d", when, n, want)
		}
	}
	id := enqueue(t, q, tenant)
	first := claim(t, q, "w1")
	second := claim(t, q, "w2") // when the lease of the first has expired
	if second.Job.ID != id {
		t.Fatalf("claimed %s", second.Job.ID)
	}
	if err := second.Emit(t.Context(), printed("x")); err != nil {
		t.Fatal(err)
	}
	lost("an old claim", first, 1)
	if err := second.Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	lost("after the end", second, 1)
	if err := q.Purge(t.Context(), tenant, id); err != nil {
		t.Fatal(err)
	}
	lost("after the deletion", second, 0)
}

// Live events are bounded, expire, and wake those who watch.
func TestEmitIsBounded(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	l := claim(t, q, "w")
	changed, _, stop := q.Watch(id)
	defer stop()
	patience.Receive(t, changed, "the watch is subscribed")
	many := make([]job.Event, 500)
	for i := range many {
		many[i] = printed("x")[0]
	}
	for range 6 {
		if err := l.Emit(t.Context(), many); err != nil {
			t.Fatal(err)
		}
		patience.Receive(t, changed, "news of the job")
	}
	if n := q.rdb.XLen(t.Context(), q.keys.events(id)).Val(); n < eventsMax || n > eventsMax+200 { // Redis trims by whole nodes of 100 entries
		t.Errorf("%d events are kept, want about %d", n, eventsMax)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.events(id)).Val(); ttl <= eventsTTL-time.Minute || ttl > eventsTTL {
		t.Errorf("the events expire in %v, want %v", ttl, eventsTTL)
	}
}

// Deletion leaves nothing of a job: its output is in its events too, and its webhook must not be sent any more.
func TestPurgeOfAJobWithEverything(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	if _, err := q.HoldArchive(t.Context(), "copier", time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, due := range []bool{false, true} { // its webhook waits in the one set or in the other
		s := submission(tenant, unique("job"))
		s.Webhook = Webhook{"https://example.com/", "0123456789abcdef"}
		enqueueSub(t, q, s)
		l := claim(t, q, "w")
		if err := l.Emit(t.Context(), printed("secret")); err != nil {
			t.Fatal(err)
		}
		if err := l.Complete(t.Context(), outcome("secret")); err != nil {
			t.Fatal(err)
		}
		d := claimDelivery(t, q)
		if err := q.Delivered(t.Context(), d, DeliveryAttempt{Attempt: 1}, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if due {
			if err := q.rdb.ZRem(t.Context(), q.keys.of("HOOKS"), s.Spec.ID+" "+tenant).Err(); err != nil {
				t.Fatal(err)
			}
			q.rdb.ZAdd(t.Context(), q.keys.of("hooksDue", tenant), redisZ(1, s.Spec.ID+" "+tenant))
		}
		if err := q.Purge(t.Context(), tenant, s.Spec.ID); err != nil {
			t.Fatal(err)
		}
		for _, key := range q.rdb.Keys(t.Context(), "*"+s.Spec.ID+"*").Val() {
			t.Errorf("%s is left", key)
		}
		if n := q.rdb.ZCard(t.Context(), q.keys.history(tenant)).Val(); n != 0 {
			t.Errorf("the history has %d entries, want none", n)
		}
		for _, set := range []string{q.keys.of("HOOKS"), q.keys.of("hooksDue", tenant)} {
			if n := q.rdb.ZCard(t.Context(), set).Val(); n != 0 {
				t.Errorf("%s has %d entries, want none", set, n)
			}
		}
		list, err := q.Unarchived(t.Context(), 9)
		if err != nil || len(list) != 1 || !list[0].Deleted || list[0].ID != s.Spec.ID {
			t.Errorf("waiting for the archive: %+v, %v, want the deletion", list, err)
		}
		for _, u := range list {
			if err := q.Archived(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
	}
}
