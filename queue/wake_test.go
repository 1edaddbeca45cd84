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
)

func TestClaimIsWoken(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	const workers = 5
	got := make(chan string, workers)
	ctx, cancel := context.WithTimeout(t.Context(), patience.Long())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range workers {
		w := unique("w")
		wg.Go(func() {
			l, err := q.Claim(ctx, taker(w))
			if err != nil {
				t.Errorf("claim: %v", err)
				return
			}
			got <- l.Job.ID
		})
	}
	waitBlocked(t, q, workers)
	start := time.Now()
	want := map[string]bool{}
	for range workers {
		want[enqueue(t, q, tenant)] = true
	}
	wg.Wait()
	close(got)
	for id := range got {
		delete(want, id)
	}
	if len(want) != 0 {
		t.Errorf("not claimed: %v", want)
	}
	if d := time.Since(start); d > maxBlock/2 {
		t.Errorf("%d blocked workers took %v to get their jobs: they waited out their block instead of being woken", workers, d)
	}
}

// waitBlocked returns when n clients block in BLPOP on the queue's token.
func waitBlocked(t *testing.T, q *Queue, n int) {
	t.Helper()
	patience.Until(t, fmt.Sprintf("%d clients block", n), func() (bool, string) {
		list, err := q.rdb.ClientList(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		return blocked(list) >= n, list
	})
}

func TestClaimEndsWithContext(t *testing.T) {
	q := newQueue(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := q.Claim(ctx, taker("w"))
		done <- err
	}()
	waitBlocked(t, q, 1)
	start := time.Now()
	cancel()
	if err := patience.Receive(t, done, "Claim ends with its context"); !errors.Is(err, context.Canceled) {
		t.Errorf("claim = %v, want context.Canceled", err)
	}
	if d := time.Since(start); d > maxBlock/2 {
		t.Errorf("claim ended %v after its context", d)
	}
}

func TestSleepPassesTheTokenOn(t *testing.T) {
	q := newQueue(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	if err := q.rdb.RPush(t.Context(), q.keys.of("WAKE"), 1).Err(); err != nil {
		t.Fatal(err)
	}
	cancel()
	// Whether it gets its own token or the shared one first, afterwards the shared one must be there.
	if err := q.sleep(ctx, []string{q.keys.of("WAKE")}, "w", time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("sleep = %v, want context.Canceled", err)
	}
	if n := q.rdb.LLen(t.Context(), q.keys.of("WAKE")).Val(); n != 1 {
		t.Errorf("%d wake-up tokens are left, want 1", n)
	}
}

// blocked counts the clients in a CLIENT LIST that block in BLPOP.
func blocked(list string) int {
	n := 0
	for line := range strings.Lines(list) {
		if strings.Contains(line, " cmd=blpop ") && strings.Contains(line, " flags=b") {
			n++
		}
	}
	return n
}

func TestRetryWakesForItsDeadline(t *testing.T) {
	q, tenant := newQueue(t, Options{RetryBackoff: 20 * time.Millisecond}), unique("tenant")
	id := enqueue(t, q, tenant)
	l := claim(t, q, "w1")
	ctx, cancel := context.WithTimeout(t.Context(), patience.Long())
	defer cancel()
	got := make(chan *Lease, 1)
	go func() {
		defer close(got)
		if l, err := q.Claim(ctx, taker("w2")); err == nil {
			got <- l
		}
	}()
	waitBlocked(t, q, 1) // for maxBlock, as it knows of no deadline before
	start := time.Now()
	if _, err := l.Retry(t.Context(), Fault{}); err != nil {
		t.Fatal(err)
	}
	if next := patience.Receive(t, got, "Claim ends"); next == nil || next.Job.ID != id || next.Attempt != 2 {
		t.Errorf("claimed %+v, want attempt 2 of %s", next, id)
	}
	if d := time.Since(start); d > maxBlock/2 {
		t.Errorf("the retry came after %v, it was due in 40 ms at most", d)
	}
}

func TestClaimPassesTheWakeUpOn(t *testing.T) {
	q, tenant := newQueue(t, Options{RetryBackoff: 2 * time.Second}), unique("tenant")
	tokens := func(when string, want int64) {
		t.Helper()
		var n int64
		for _, list := range q.wakes([]string{"python"}) {
			n += q.rdb.LLen(t.Context(), list).Val()
			q.rdb.Del(t.Context(), list) // as if a worker had taken it
		}
		if n != want {
			t.Errorf("%s: %d wake-up tokens, want %d", when, n, want)
		}
	}
	enqueue(t, q, tenant)
	enqueue(t, q, tenant)
	tokens("after two submissions", 1)
	l := claim(t, q, "w")
	tokens("after a claim that leaves a job", 1)
	claim(t, q, "w")
	tokens("after a claim that leaves nothing", 0)
	if _, err := l.Retry(t.Context(), Fault{}); err != nil {
		t.Fatal(err)
	}
	tokens("after a retry was scheduled", 1)
	enqueue(t, q, tenant)
	tokens("after another submission", 1)
	claim(t, q, "w")
	tokens("after a claim that leaves a retry due soon", 1)
	enqueue(t, q, tenant)
	claim(t, q, "w")
	wantEmpty(t, q)
	tokens("after a claim that found nothing", 0)
}
