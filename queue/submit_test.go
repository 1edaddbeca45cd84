// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccee-dev/ccee/job"
)

func TestEnqueueStoresAll(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.Spec.Source = "print('\u00e9\u2603')\n"
	s.Spec.Stdin = []byte{0, 0xff, '\n', 0x80}
	s.Spec.Files = []job.File{{Name: "lib/x.py", Data: []byte{1, 2, 0}}}
	s.Spec.Args, s.Spec.Env = []string{"-v", ""}, map[string]string{"K": "v"}
	s.Spec.Run = job.Limits{WallMs: 3000}
	enqueueSub(t, q, s)

	r := wantState(t, q, tenant, s.Spec.ID, Queued)
	want := Record{ID: s.Spec.ID, Tenant: tenant, TraceID: s.TraceID, Language: "python", Status: Queued, Request: s.Request,
		MaxAttempts: 3, CurrentAttempt: 1, CreatedAt: r.CreatedAt, UpdatedAt: r.CreatedAt}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if d := time.Since(r.CreatedAt); d < -time.Second || d > time.Minute {
		t.Errorf("created at %v, that is %v ago", r.CreatedAt, d)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.job(s.Spec.ID)).Val(); ttl != -1 {
		t.Errorf("an unfinished job expires in %v, want never", ttl)
	}

	l := claim(t, q, "w")
	s.Spec.Attempt = 1
	if diff := cmp.Diff(s.Spec, l.Job); diff != "" {
		t.Errorf("claimed spec (-want +got):\n%s", diff)
	}
	if l.TraceID != s.TraceID || l.Request != s.Request || l.MaxAttempts != 3 || l.Attempt != 1 {
		t.Errorf("lease = %+v", l)
	}
}

func TestEnqueueTwice(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	enqueueSub(t, q, s)
	enqueueSub(t, q, s)
	wantActive(t, q, tenant, 1)
	claim(t, q, "w")
	wantEmpty(t, q)

	s.Spec.Tenant = unique("other")
	if err := q.enqueue(t.Context(), s); job.ErrorCode(err) != job.EConflict {
		t.Errorf("another tenant's id: %v, want code conflict", err)
	}
	wantState(t, q, tenant, s.Spec.ID, Running)
}

func TestEnqueueRefuses(t *testing.T) {
	q := newQueue(t, Options{})
	for _, tt := range []struct {
		name   string
		change func(*Submission)
		field  string
	}{
		{"no id", func(s *Submission) { s.Spec.ID = "" }, "id"},
		{"no tenant", func(s *Submission) { s.Spec.Tenant = "" }, "tenant"},
		{"no attempts", func(s *Submission) { s.MaxAttempts = 0 }, "maxAttempts"},
		{"priority", func(s *Submission) { s.Priority = 2 }, "priority"},
	} {
		s := submission(unique("tenant"), unique("job"))
		tt.change(&s)
		err := q.enqueue(t.Context(), s)
		var e *job.Error
		if !errors.As(err, &e) || e.Code != job.EInvalid || e.Field != tt.field {
			t.Errorf("%s: %v, want invalid %s", tt.name, err, tt.field)
		}
	}
}

func TestQuotaIsExact(t *testing.T) {
	for _, tt := range []struct {
		name              string
		concurrent, daily int64
		reason            string
		admitted          int64
	}{
		{"concurrent", 7, 1000, MaxConcurrentJobs, 7},
		{"daily", 1000, 5, MaxDailyJobs, 5},
		{"both: concurrent is told first", 3, 3, MaxConcurrentJobs, 3},
		{"zero admits nothing", 0, 1000, MaxConcurrentJobs, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, tenant := newQueue(t, Options{}), unique("tenant")
			var admitted atomic.Int64
			var wg sync.WaitGroup
			for range 50 {
				s := submission(tenant, unique("job"))
				s.MaxConcurrent, s.MaxDaily = tt.concurrent, tt.daily
				wg.Go(func() {
					err := q.enqueue(t.Context(), s)
					var refused *QuotaError
					switch {
					case err == nil:
						admitted.Add(1)
					case !errors.As(err, &refused):
						t.Errorf("enqueue: %v", err)
					case refused.Reason != tt.reason || refused.Active != tt.admitted || refused.Daily != tt.admitted:
						t.Errorf("refused: %+v, want %s at %d", refused, tt.reason, tt.admitted)
					}
				})
			}
			wg.Wait()
			if n := admitted.Load(); n != tt.admitted {
				t.Errorf("%d of 50 admitted, want %d", n, tt.admitted)
			}
			if c, err := q.Counts(t.Context()); err != nil || c.Waiting != tt.admitted {
				t.Errorf("counts = %+v, %v, want %d waiting", c, err, tt.admitted)
			}
			if tt.admitted > 0 {
				wantActive(t, q, tenant, tt.admitted)
			}
		})
	}
}

func TestQuotaSlotComesBackOnce(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	for range 3 {
		enqueue(t, q, tenant)
	}
	l := claim(t, q, "w")
	for range 2 {
		if err := l.Complete(t.Context(), outcome("x")); err != nil {
			t.Fatal(err)
		}
	}
	wantActive(t, q, tenant, 2)
	u, err := q.Usage(t.Context(), tenant)
	if err != nil || u.DailyJobs != 3 || u.Date != time.Now().UTC().Format(time.DateOnly) || u.EstimatedCostUsd != 0.00000027 {
		t.Errorf("usage = %+v, %v: want 3 jobs today, billed once", u, err)
	}
}

// Windows, quota and job are one step: what the first of them refuses counts in none behind it.
func TestSubmitCountsInOneStep(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, "")
	s.Window, s.RequestLimit, s.SubmitLimit, s.MaxConcurrent = time.Hour, 5, 3, 2
	for i, want := range []error{nil, nil, &QuotaError{}, &RateError{Kind: Submits}, &RateError{Kind: Submits}, &RateError{Kind: Requests}} {
		s.Spec.ID = unique("job")
		a, err := q.Submit(t.Context(), s)
		if a.Requests.Used != int64(i+1) || a.Requests.Limit != 5 || a.Requests.Allowed != (i < 5) || (a.Requests.RetryAfter > 0) != (i >= 4) {
			t.Errorf("submission %d: requests %+v", i, a.Requests)
		}
		var rate, wantRate *RateError
		if errors.As(want, &wantRate) {
			if !errors.As(err, &rate) || rate.Kind != wantRate.Kind || rate.Rate.Allowed {
				t.Errorf("submission %d: %v, want a RateError of %s", i, err, wantRate.Kind)
			}
			continue
		}
		if (err == nil) != (want == nil) {
			t.Errorf("submission %d: %v, want %v", i, err, want)
		}
	}
	wantActive(t, q, tenant, 2)
}

func TestIdempotencyKey(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	submit := func(tenant, key, digest string) (Admission, error) {
		s := submission(tenant, unique("job"))
		s.IdempotencyKey, s.RequestDigest = key, digest
		return q.Submit(t.Context(), s)
	}
	first, err := submit(tenant, "k 1\n", "d1")
	if err != nil || first.Replayed {
		t.Fatalf("%+v, %v", first, err)
	}
	// However many come at once and later, there is one job.
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if a, err := submit(tenant, "k 1\n", "d1"); err != nil || !a.Replayed || a.ID != first.ID {
				t.Errorf("again: %+v, %v, want job %s", a, err, first.ID)
			}
		})
	}
	wg.Wait()
	wantActive(t, q, tenant, 1)
	if _, err := submit(tenant, "k 1\n", "d2"); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another request with the key: %v, want ErrKeyReused", err)
	}
	for _, other := range []struct{ tenant, key string }{{tenant, "k 2"}, {unique("other"), "k 1\n"}} {
		if a, err := submit(other.tenant, other.key, "d1"); err != nil || a.Replayed || a.ID == first.ID {
			t.Errorf("%q of %s: %+v, %v, want a job of its own", other.key, other.tenant, a, err)
		}
	}
	for _, key := range q.rdb.Keys(t.Context(), "tenant:"+tenant+":idempotency:*").Val() {
		if ttl := q.rdb.TTL(t.Context(), key).Val(); ttl <= IdempotencyTTL-time.Minute || ttl > IdempotencyTTL {
			t.Errorf("a key holds for %v, want %v", ttl, IdempotencyTTL)
		}
	}
}

// A refused submission does not use its key up.
func TestIdempotencyKeyOfRefusal(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.IdempotencyKey, s.RequestDigest, s.MaxConcurrent = "k", "d", 0
	var refused *QuotaError
	if _, err := q.Submit(t.Context(), s); !errors.As(err, &refused) {
		t.Fatalf("%v, want a QuotaError", err)
	}
	s.MaxConcurrent = 1
	if a, err := q.Submit(t.Context(), s); err != nil || a.Replayed {
		t.Errorf("%+v, %v, want a new job", a, err)
	}
}
