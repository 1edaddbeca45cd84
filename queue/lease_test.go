// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// shortLease is long enough not to expire between two calls of a test, and short enough to wait for.
const shortLease = 300 * time.Millisecond

func TestCompleteStoresTheResult(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	o := outcome("h\x00\xffi")
	if err := claim(t, q, "w").Complete(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	r := wantState(t, q, tenant, id, Succeeded)
	if r.Result == nil || string(r.Result.Steps[0].Stdout.Data) != "h\x00\xffi" {
		t.Errorf("result = %+v, want the output byte for byte", r.Result)
	}
	if r.EstimatedCostUsd != 0.00000027 || r.BillableDurationMs != 90 || r.CostModelVersion != "fargate-v1" || r.FailureCategory != "none" {
		t.Errorf("billing = %+v", r)
	}
	if r.AttemptsMade != 1 || r.CurrentAttempt != 0 || r.StartedAt.IsZero() || r.CompletedAt.Before(r.StartedAt) || r.Error != "" {
		t.Errorf("record = %+v", r)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.job(id)).Val(); ttl <= 23*time.Hour || ttl > 24*time.Hour {
		t.Errorf("a finished job expires in %v, want about 24h", ttl)
	}
	if c, err := q.Counts(t.Context()); err != nil || c != (Counts{Succeeded: 1}) {
		t.Errorf("counts = %+v, %v, want one succeeded", c, err)
	}
}

func TestCompleteRefusesWhatIsNoEnd(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	l := claim(t, q, "w")
	for _, status := range []job.Status{"", job.Status(Queued), job.Status(Running), "done"} {
		if err := l.Complete(t.Context(), Outcome{Result: job.Result{Status: status}}); err == nil {
			t.Errorf("a result with the status %q was stored", status)
		}
	}
	wantState(t, q, tenant, id, Running)
}

func TestExpiredLeaseIsTakenOver(t *testing.T) {
	q, tenant := newQueue(t, Options{Lease: shortLease}), unique("tenant")
	id := enqueue(t, q, tenant)
	first := claim(t, q, "dead")
	start := time.Now()
	second := claim(t, q, "alive") // blocks until the lease is over
	if d := time.Since(start); d > maxBlock/2 {
		t.Errorf("take-over after %v, want soon after the lease of %v", d, shortLease)
	}
	if second.Job.ID != id || second.Attempt != 2 || second.claim <= first.claim {
		t.Fatalf("second lease: job %s attempt %d claim %d, want %s, 2, more than %d", second.Job.ID, second.Attempt, second.claim, id, first.claim)
	}
	// The first worker comes back: nothing that it says counts.
	for name, call := range map[string]func() error{
		"extend":   func() error { return first.Extend(t.Context()) },
		"complete": func() error { return first.Complete(t.Context(), outcome("first")) },
		"retry":    func() error { _, err := first.Retry(t.Context(), Fault{}); return err },
		"fail":     func() error { return first.Fail(t.Context(), Fault{}) },
		"release":  func() error { _, err := first.Release(t.Context(), "x"); return err },
	} {
		if err := call(); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("%s with an old claim = %v, want ErrLeaseLost", name, err)
		}
	}
	if err := second.Complete(t.Context(), outcome("second")); err != nil {
		t.Fatal(err)
	}
	if err := first.Complete(t.Context(), outcome("first")); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("complete after the end = %v, want ErrLeaseLost", err)
	}
	if r := wantState(t, q, tenant, id, Succeeded); string(r.Result.Steps[0].Stdout.Data) != "second" {
		t.Errorf("stored %q, want the second worker's result", r.Result.Steps[0].Stdout.Data)
	}
	wantActive(t, q, tenant, 0)
}

func TestLastExpiryIsDeadLettered(t *testing.T) {
	q, tenant := newQueue(t, Options{Lease: 100 * time.Millisecond}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.MaxAttempts = 2
	enqueueSub(t, q, s)
	claim(t, q, "w1")
	claim(t, q, "w2")
	waitFor(t, q, tenant, s.Spec.ID, func() { // a third worker finds the second lease expired, too
		ctx, cancel := context.WithTimeout(t.Context(), patience.Long())
		defer cancel()
		next := enqueue(t, q, tenant)
		for l := claim(t, q, "w3"); ; l = claim(t, q, "w3") {
			if l.Job.ID != next {
				t.Errorf("claimed %s", l.Job.ID)
			}
			if get(t, q, tenant, s.Spec.ID).Status.Final() || ctx.Err() != nil {
				return
			}
		}
	})
	r := wantState(t, q, tenant, s.Spec.ID, Failed)
	if r.AttemptsMade != 2 || r.DeadLetteredAt.IsZero() || r.FailureCategory != "infrastructure" {
		t.Errorf("record = %+v", r)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.job(s.Spec.ID)).Val(); ttl < 13*24*time.Hour {
		t.Errorf("a dead-lettered job expires in %v, want 14 days", ttl)
	}
}

// waitFor runs act and then waits for the job's end.
func waitFor(t *testing.T, q *Queue, tenant, id string, act func()) {
	t.Helper()
	act()
	ctx, cancel := context.WithTimeout(t.Context(), patience.Long())
	defer cancel()
	if _, err := q.Wait(ctx, tenant, id); err != nil {
		t.Fatalf("wait for %s: %v", id, err)
	}
}

func TestRetryThenDeadLetter(t *testing.T) {
	q, tenant := newQueue(t, Options{RetryBackoff: 20 * time.Millisecond}), unique("tenant")
	id := enqueue(t, q, tenant)
	var retried time.Time
	for attempt := 1; attempt <= 3; attempt++ {
		l := claim(t, q, "w")
		if l.Attempt != attempt {
			t.Fatalf("attempt %d, want %d", l.Attempt, attempt)
		}
		if after := time.Since(retried); after < 19*time.Millisecond { // the scripts count whole milliseconds
			t.Errorf("attempt %d came %v after the retry, want a delay of 20 ms at least", attempt, after)
		}
		retried = time.Now()
		state, err := l.Retry(t.Context(), Fault{Message: "internal error", Cause: "disk on fire"})
		want := Retrying
		if attempt == 3 {
			want = Failed
		}
		if err != nil || state != want {
			t.Fatalf("retry of attempt %d = %s, %v, want %s", attempt, state, err, want)
		}
		r := wantState(t, q, tenant, id, want)
		if r.Error != "internal error" || r.RetryScheduledAt.IsZero() || r.AttemptsMade != attempt {
			t.Errorf("record = %+v", r)
		}
	}
	wantActive(t, q, tenant, 0)
	wantEmpty(t, q)
	dead, err := q.DeadLetters(t.Context(), 10)
	if err != nil || len(dead) != 1 || dead[0].ID != id || dead[0].Attempts != 3 || dead[0].Cause != "disk on fire" {
		t.Errorf("dead letters = %+v, %v", dead, err)
	}
	if c, err := q.Counts(t.Context()); err != nil || c != (Counts{Failed: 1, Dead: 1, Retried: 2}) {
		t.Errorf("counts = %+v, %v, want 1 failed, 1 dead, 2 retried", c, err)
	}
}

func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		n      int
		random int64
		want   time.Duration
	}{
		{1, 0, time.Second}, {1, 999_999_999, 2*time.Second - 1}, {2, 0, 2 * time.Second}, {3, 0, 4 * time.Second},
		{6, 0, 32 * time.Second}, {7, 0, 60 * time.Second}, {1000, 5, 60 * time.Second},
	} {
		got := backoff(time.Second, 60*time.Second, tt.n, func(n int64) int64 {
			if n != int64(time.Second) {
				t.Errorf("random part below %d, want below the base", n)
			}
			return tt.random
		})
		if got != tt.want {
			t.Errorf("backoff after %d failures, random %d = %v, want %v", tt.n, tt.random, got, tt.want)
		}
	}
}

func TestReleaseKeepsPlaceAndAttempt(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	first, second := enqueue(t, q, tenant), enqueue(t, q, tenant)
	l := claim(t, q, "stopping")
	if _, err := l.Release(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if r := wantState(t, q, tenant, first, Queued); r.AttemptsMade != 0 || r.CurrentAttempt != 1 || !r.StartedAt.IsZero() {
		t.Errorf("record = %+v, want as before the claim", r)
	}
	again := claim(t, q, "w")
	if again.Job.ID != first || again.Attempt != 1 {
		t.Errorf("claimed %s attempt %d, want %s (before %s) attempt 1", again.Job.ID, again.Attempt, first, second)
	}
	// Both leases are of attempt 1: the claim number tells them apart.
	if err := l.Complete(t.Context(), outcome("late")); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("complete after release = %v, want ErrLeaseLost", err)
	}
}

func TestFail(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	if err := claim(t, q, "w").Fail(t.Context(), Fault{Message: "language cobol is unknown", Cause: "invalid"}); err != nil {
		t.Fatal(err)
	}
	r := wantState(t, q, tenant, id, Failed)
	if r.Error != "language cobol is unknown" || !r.DeadLetteredAt.IsZero() {
		t.Errorf("record = %+v", r)
	}
	wantActive(t, q, tenant, 0)
	wantEmpty(t, q)
}

// keepsFor keeps a job until its lease ends more than a length later than it did at first. Somebody else would have got it if it were not
// kept.
func keepsFor(t *testing.T, length time.Duration) error {
	t.Helper()
	q, tenant := newQueue(t, Options{Lease: length}), unique("tenant")
	id := enqueue(t, q, tenant)
	l := claim(t, q, "w")
	end := func() float64 { return q.rdb.ZScore(t.Context(), q.keys.of("LEASES"), id+" "+tenant).Val() }
	ctx, cancel := context.WithCancel(patience.Context(t))
	defer cancel()
	kept := make(chan error, 1)
	go func() { kept <- l.Keep(ctx) }()
	for first := end(); end() <= first+float64(length.Milliseconds()); {
		select {
		case err := <-kept:
			return fmt.Errorf("keep with a lease of %v = %v", length, err)
		default:
		}
		if other, _, err := q.tryClaim(ctx, taker("other")); other != nil || err != nil {
			return fmt.Errorf("though its lease of %v was kept, the job was taken over (%+v, %v)", length, other, err)
		}
		pause(ctx)
	}
	cancel()
	if err := patience.Receive(t, kept, "Keep ends"); err != nil {
		t.Errorf("keep = %v, want nil", err)
	}
	if err := l.Complete(t.Context(), outcome("")); err != nil {
		return fmt.Errorf("complete: %w", err)
	}
	wantState(t, q, tenant, id, Succeeded)
	return nil
}

func TestKeep(t *testing.T) {
	t.Run("renews", func(t *testing.T) {
		// Who stands still for half a lease loses it, and rightly so. A machine may stand still that long; not for half a minute.
		var err error
		for _, length := range []time.Duration{2 * shortLease, 20 * shortLease, 200 * shortLease} {
			if err = keepsFor(t, length); err == nil {
				return
			}
		}
		t.Error(err)
	})
	t.Run("lost", func(t *testing.T) {
		q, tenant := newQueue(t, Options{Lease: shortLease}), unique("tenant")
		enqueue(t, q, tenant)
		l := claim(t, q, "w")
		if _, err := l.Release(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if err := l.Keep(patience.Context(t)); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("keep = %v, want ErrLeaseLost", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		q, tenant := newQueue(t, Options{Lease: time.Hour}), unique("tenant")
		id := enqueue(t, q, tenant)
		l := claim(t, q, "w")
		kept := make(chan error, 1)
		go func() { kept <- l.Keep(t.Context()) }()
		if s, err := q.Cancel(t.Context(), tenant, id); err != nil || s != Running {
			t.Fatalf("cancel = %s, %v, want running", s, err)
		}
		if err := patience.Receive(t, kept, "Keep ends"); !errors.Is(err, ErrCancelRequested) { // the lease is an hour: only the message can have woken it
			t.Errorf("keep = %v, want ErrCancelRequested", err)
		}
	})
}

// While Redis is unreachable Keep gives up before the lease expires, whether it was ever renewed or not: after that another worker runs
// the job.
func TestKeepGivesUpInTime(t *testing.T) {
	const length = 15 * time.Second
	for _, tt := range []struct {
		name     string
		renewals int
		hangs    bool // an answer doesn't come, instead of an error at once
	}{{"from the claim", 0, false}, {"from the claim, hanging", 0, true}, {"after a renewal", 1, false}, {"after three, hanging", 3, true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				renewed, left := time.Now(), tt.renewals
				err := keep(t.Context(), length, renewed, nil, func(ctx context.Context, timeout time.Duration) error {
					if left > 0 {
						left, renewed = left-1, time.Now()
						return nil
					}
					if tt.hangs {
						time.Sleep(timeout)
					}
					return errors.New("dial redis: refused")
				})
				held := time.Since(renewed)
				if !errors.Is(err, ErrRedisUnreachable) || held >= length || held < length/2 {
					t.Errorf("%v, %v after the last renewal of a lease of %v", err, held, length)
				}
				if stop := length - held; stop < 2*time.Second {
					t.Errorf("%v are left to stop the job", stop)
				}
			})
		})
	}
}
