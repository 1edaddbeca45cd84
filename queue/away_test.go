// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
)

func TestOpenRefuses(t *testing.T) {
	for _, url := range []string{"", "http://x", "redis://u:secret@[::1", "unix:"} {
		if q, err := Open(url, Options{}); err == nil {
			q.Close()
			t.Errorf("Open(%q) succeeded", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) tells the password: %v", url, err)
		}
	}
	for name, o := range map[string]Options{
		"Lease": {Lease: -time.Second}, "JobTTL": {JobTTL: time.Millisecond}, "DeadLetterTTL": {DeadLetterTTL: 1},
		"DailyQuotaTTL": {DailyQuotaTTL: -1}, "RetryBackoff": {RetryBackoff: -1}, "RetryMaxDelay": {RetryMaxDelay: 1}, "HistoryMax": {HistoryMax: -1},
	} {
		if _, err := Open("redis://localhost", o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Open with %s out of range = %v, want an error that names it", name, err)
		}
	}
}

func TestRedisAway(t *testing.T) {
	q := openQueue(t, "unix:///nonexistent/redis.sock", Options{})
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"ping":    func() error { return q.Ping(ctx) },
		"enqueue": func() error { return q.enqueue(ctx, submission("t", "i")) },
		"get":     func() error { _, err := q.Get(ctx, "t", "i"); return err },
		"list":    func() error { _, err := q.History(ctx, "t", HistoryQuery{Limit: 5}); return err },
		"wait":    func() error { _, err := q.Wait(ctx, "t", "i"); return err },
		"claim":   func() error { _, err := q.Claim(ctx, taker("w")); return err },
		"rate": func() error {
			_, err := q.Rate(ctx, RateRequest{Tenant: "t", Limit: 1, Window: time.Minute})
			return err
		},
	} {
		start := time.Now()
		err := call()
		if err == nil || !strings.Contains(err.Error(), "on Redis at unix:///nonexistent/redis.sock") {
			t.Errorf("%s = %v, want an error that names the Redis", name, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %v to see that there is no Redis", name, d)
		}
	}
}

// TestRedisKilled kills Redis while jobs are admitted and run, and starts it again on its file: each admitted job reaches one
// result, and nothing stays behind.
func TestRedisKilled(t *testing.T) {
	s := redistest.NewDurable(t)
	q := openQueue(t, s.URL(), Options{Lease: 2 * time.Second})
	const jobs, workers, kills = 300, 4, 3
	tenant := unique("tenant")
	ctx, stop := context.WithTimeout(t.Context(), patience.Long())
	defer stop()

	var mu sync.Mutex // guards done
	done := map[string]int{}
	kill := make(chan struct{})
	killed := 0
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for n := 1; ctx.Err() == nil; {
				l, err := q.Claim(ctx, taker(fmt.Sprintf("w%d", i)))
				if err != nil {
					pause(ctx)
					continue
				}
				for err = l.Complete(ctx, outcome(l.Job.ID)); err != nil && !errors.Is(err, ErrLeaseLost) && ctx.Err() == nil; {
					pause(ctx)
					err = l.Complete(ctx, outcome(l.Job.ID))
				}
				if err == nil {
					mu.Lock()
					done[l.Job.ID]++
					n = len(done)
					mu.Unlock()
				}
				if n%(jobs/(kills+1)) == 0 {
					select {
					case kill <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range kills {
			select {
			case <-kill:
			case <-ctx.Done():
				return
			}
			s.Kill()
			killed++
			if err := s.Start(); err != nil {
				t.Errorf("restart: %v", err)
				return
			}
		}
	})

	ids := make([]string, jobs)
	for i := range ids {
		ids[i] = unique("job")
		for q.enqueue(ctx, submission(tenant, ids[i])) != nil && ctx.Err() == nil {
			pause(ctx) // idempotent: the same id again
		}
	}
	for _, id := range ids {
		var r Record
		var err error
		for r, err = q.Wait(ctx, tenant, id); err != nil && ctx.Err() == nil; r, err = q.Wait(ctx, tenant, id) {
			pause(ctx)
		}
		if err != nil || r.Status != Succeeded || string(r.Result.Steps[0].Stdout.Data) != id {
			t.Errorf("job %s is %s, %v", id, r.Status, err)
		}
	}
	stop()
	wg.Wait()
	if killed == 0 {
		t.Error("Redis was never killed: the test shows nothing")
	}
	t.Logf("Redis was killed %d times", killed)
	for id, n := range done {
		if n != 1 {
			t.Errorf("job %s was completed %d times", id, n)
		}
	}
	wantActive(t, q, tenant, 0)
	wantBooked(t, q, tenant, ids)
	c, err := q.Counts(t.Context())
	if err != nil || c.Succeeded != jobs || c.Pending() != 0 || c.Dead != 0 {
		t.Errorf("counts = %+v, %v, want %d succeeded and nothing else", c, err, jobs)
	}
}

// pause keeps a test's retries from spinning while Redis is away.
func pause(ctx context.Context) {
	c, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	<-c.Done()
}
