package queue

import (
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// What a finished job leaves in Redis goes by itself. A day's costs are kept for longer than GET /v1/costs can ask for, 30 days.
func TestKeysOfAFinishedJobExpire(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.IdempotencyKey, s.RequestDigest, s.Window, s.RequestLimit, s.SubmitLimit = "one", "digest", time.Minute, 10, 10
	id := enqueueSub(t, q, s)
	l := claim(t, q, "w1")
	if err := l.Emit(t.Context(), []job.Event{{Type: job.EventStdout, Step: "run", Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	for key, want := range map[string]time.Duration{
		q.keys.job(id): 24 * time.Hour, q.keys.history(tenant): 24 * time.Hour, q.keys.dailyJobs(tenant, today): 48 * time.Hour,
		q.keys.dailyCost(tenant, today): 35 * 24 * time.Hour,
	} {
		if got := q.rdb.TTL(t.Context(), key).Val(); got > want || got < want-time.Minute {
			t.Errorf("%s expires in %s, want %s", key, got, want)
		}
	}
	// Of the tenant's and the job's other keys only those that are bounded by themselves stay.
	stay := map[string]bool{q.keys.auditTrail(tenant): true, q.keys.auditHead(tenant): true, q.keys.active(tenant): true, q.keys.activeIDs(tenant): true}
	var cursor uint64
	for more := true; more; more = cursor != 0 {
		var keys []string
		var err error
		if keys, cursor, err = q.rdb.Scan(t.Context(), cursor, "*", 1000).Result(); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			ours := strings.HasPrefix(key, "tenant:"+tenant+":") || strings.HasPrefix(key, q.keys.job(id))
			if ours && !stay[key] && q.rdb.TTL(t.Context(), key).Val() < 0 {
				t.Errorf("%s never expires", key)
			}
		}
	}
}
