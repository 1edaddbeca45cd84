// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// passDepth makes the last round of publishing the depth older by d.
func passDepth(t *testing.T, q *Queue, d time.Duration) {
	t.Helper()
	if err := q.rdb.HIncrBy(t.Context(), q.keys.of("DEPTH"), "at", -d.Milliseconds()).Err(); err != nil {
		t.Fatal(err)
	}
}

func takeDepth(t *testing.T, q *Queue) DepthRound {
	t.Helper()
	r, err := q.TakeDepth(t.Context(), 30*time.Second, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What a round publishes: all unfinished jobs, those that wait, those that nobody can run, and the workers.
func TestDepthCounts(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	for range 3 {
		enqueue(t, q, tenant)
	}
	other := submission(tenant, unique("job"))
	other.Spec.Language = "cobol"
	enqueueSub(t, q, other)
	for worker, langs := range map[string][]job.Language{"w": {{Name: "python"}}, "idle": nil} {
		if err := q.PublishRuntimes(t.Context(), worker, langs, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	claim(t, q, "w")
	if state, err := claim(t, q, "w").Retry(t.Context(), Fault{}); err != nil || state != Retrying {
		t.Fatalf("%s, %v", state, err)
	}
	r := takeDepth(t, q)
	d := r.Depth
	if age := time.Since(d.At); age < -time.Minute || age > time.Minute {
		t.Errorf("at %v, want now", d.At)
	}
	d.At = time.Time{}
	if want := (Depth{Pending: 4, Waiting: 2, Stuck: 1, Workers: 2, Ready: 1}); !r.Mine || d != want || r.Idle || r.Next != 30*time.Second {
		t.Errorf("%+v, want %+v, to be published", r, want)
	}
}

// Of all who ask, one gets each round, and all others the time until the next one.
func TestDepthRounds(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	enqueue(t, q, tenant)
	if r := takeDepth(t, q); !r.Mine {
		t.Fatalf("the first round: %+v", r)
	}
	if r := takeDepth(t, q); r.Mine || r.Idle || r.Next < 20*time.Second || r.Next > 30*time.Second {
		t.Errorf("again at once: %+v, want none for up to 30 s", r)
	}
	passDepth(t, q, 15*time.Second)
	if r := takeDepth(t, q); r.Mine || r.Next < 5*time.Second || r.Next > 15*time.Second {
		t.Errorf("after half of the interval: %+v, want none for up to 15 s", r)
	}
	passDepth(t, q, 15*time.Second)
	if r := takeDepth(t, q); !r.Mine {
		t.Errorf("after the interval: %+v, want a round", r)
	}
	passDepth(t, q, -time.Hour)
	if r := takeDepth(t, q); !r.Mine {
		t.Errorf("with Redis's clock set back by an hour: %+v, want a round", r)
	}
	if ttl := q.rdb.PTTL(t.Context(), q.keys.of("DEPTH")).Val(); ttl <= 30*time.Second || ttl > time.Minute {
		t.Errorf("the record expires in %v, want after the next round", ttl)
	}
}

// The first job after a round without any begins a round, but not at once after that.
func TestDepthOfIdleQueue(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	if r := takeDepth(t, q); !r.Mine || !r.Idle {
		t.Fatalf("an empty queue: %+v, want a round, and idle", r)
	}
	passDepth(t, q, 2*time.Second)
	if r := takeDepth(t, q); r.Mine || !r.Idle {
		t.Errorf("still empty: %+v, want no round", r)
	}
	passDepth(t, q, -2*time.Second)
	enqueue(t, q, tenant)
	if r := takeDepth(t, q); r.Mine || r.Next > time.Second {
		t.Errorf("a job at once after a round: %+v, want one within the least interval", r)
	}
	passDepth(t, q, time.Second)
	if r := takeDepth(t, q); !r.Mine || r.Idle || r.Depth.Pending != 1 {
		t.Errorf("a job after the least interval: %+v, want a round", r)
	}
	enqueue(t, q, tenant)
	passDepth(t, q, time.Second)
	if r := takeDepth(t, q); r.Mine {
		t.Errorf("a second job: %+v, want no round before the interval is over", r)
	}
}
