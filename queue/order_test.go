package queue

import (
	"testing"
	"time"
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

// The start tags of tenants without jobs are forgotten once the clock has passed them: else there would be one for each tenant that ever was.
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
