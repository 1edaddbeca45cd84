// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// A tenant's jobs in several languages come in one order: by priority, then by age.
func TestOrderAcrossLanguages(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	submit := func(language string, p Priority) string {
		s := submission(tenant, unique("job"))
		s.Spec.Language, s.Priority = language, p
		return enqueueSub(t, q, s)
	}
	a, b, c, d := submit("python", Normal), submit("ruby", Normal), submit("python", Low), submit("ruby", High)
	for _, want := range []string{d, a, b, c} {
		l, _, err := q.tryClaim(t.Context(), Claimer{Worker: "w", Languages: []string{"python", "ruby"}})
		if err != nil || l == nil || l.Job.ID != want {
			t.Fatalf("claimed %+v, %v, want job %s", l, err, want)
		}
	}
}

// The start tags of tenants without jobs are forgotten once the clock has passed them: else there would be one for each tenant that ever
// was.
func TestTagsOfIdleTenantsAreForgotten(t *testing.T) {
	q := newQueue(t, Options{})
	busy := unique("busy")
	for range 5 {
		enqueue(t, q, unique("once"))
		claim(t, q, "w")
	}
	for range 3 {
		enqueue(t, q, busy)
		claim(t, q, "w")
	}
	clock := q.rdb.Get(t.Context(), q.keys.of("CLOCK")).Val()
	if n := q.rdb.ZCount(t.Context(), q.keys.of("IDLE"), "-inf", clock).Val(); n != 0 {
		t.Errorf("%d tags of idle tenants are at most %s, the clock", n, clock)
	}
	if n := q.rdb.ZCard(t.Context(), q.keys.of("IDLE")).Val(); n > 2 {
		t.Errorf("%d tags of idle tenants are kept", n)
	}
}

// A renewal shows that Redis answers, as a claim does: workers with long jobs may be the only ones that talk to it.
func TestExtendShowsThatRedisAnswers(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	enqueue(t, q, tenant)
	l := claim(t, q, "w")
	q.rdb.Set(t.Context(), q.keys.of("LAST_STEP"), 1, 0)
	if err := l.Extend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at, err := q.rdb.Get(t.Context(), q.keys.of("LAST_STEP")).Int64(); err != nil || time.Since(time.UnixMilli(at)) > time.Minute {
		t.Errorf("the last step was at %d, %v, want now", at, err)
	}
}

// What an earlier life of a job has left does not count in the next: it would be cancelled, or dead-lettered after one more release.
func TestReplayBeginsAnew(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	d := dead(t, q, tenant)
	q.rdb.HSet(t.Context(), q.keys.job(d.ID), "cancelRequestedAt", "2026-01-01T00:00:00.000Z", "releases", releasesMax)
	if ok, err := q.Replay(t.Context(), d, 1); err != nil || !ok {
		t.Fatalf("replay: %v, %v", ok, err)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.job(d.ID)).Val(); ttl != -1 {
		t.Errorf("the waiting job expires in %v", ttl)
	}
	if s, err := claim(t, q, "w").Release(t.Context(), "x"); err != nil || s != Queued {
		t.Errorf("release: %s, %v, want queued", s, err)
	}
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	if r := wantState(t, q, tenant, d.ID, Succeeded); !r.CancelRequestedAt.IsZero() {
		t.Errorf("its cancellation was requested at %v", r.CancelRequestedAt)
	}
}

// A language that its last worker drops, or that an operator removes, counts as not offered at once: jobs that wait for it are stuck.
func TestStuckJobs(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	publish := func(languages ...string) {
		t.Helper()
		var list []job.Language
		for _, name := range languages {
			list = append(list, job.Language{Name: name})
		}
		if err := q.PublishRuntimes(t.Context(), "w", list, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, stuck int64) {
		t.Helper()
		if c, err := q.Counts(t.Context()); err != nil || c.Waiting != 2 || c.Stuck != stuck {
			t.Errorf("%s: %+v, %v, want %d stuck of 2", when, c, err, stuck)
		}
	}
	enqueue(t, q, tenant)
	enqueue(t, q, tenant)
	want("nobody offers it", 2)
	publish("python", "ruby")
	want("offered", 0)
	publish("ruby")
	want("dropped", 2)
	publish("python")
	want("offered again", 0)
	if known, err := q.ForgetLanguage(t.Context(), "python"); err != nil || !known {
		t.Fatalf("forget: %v, %v", known, err)
	}
	want("removed", 2)
}

// The log of a job's deliveries is bounded, and a deliverer that claims one wakes another for the next.
func TestDeliveriesAreBounded(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := hooked(t, q, tenant)
	hooked(t, q, tenant)
	q.rdb.Del(t.Context(), q.keys.of("HOOK_WAKE")) // as if a deliverer had taken it
	d := claimDelivery(t, q)
	if n := q.rdb.LLen(t.Context(), q.keys.of("HOOK_WAKE")).Val(); n != 1 {
		t.Errorf("%d tokens are there for the other webhook, want 1", n)
	}
	d.JobID = id
	for i := range maxDeliveries + 5 {
		if err := q.Delivered(t.Context(), d, DeliveryAttempt{Attempt: i + 1}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, log, err := q.Deliveries(t.Context(), tenant, id); err != nil || len(log) != maxDeliveries || log[0].Attempt != 6 {
		t.Errorf("%d attempts are logged, %v, want the last %d", len(log), err, maxDeliveries)
	}
}
