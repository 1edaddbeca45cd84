// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// dead makes a dead-lettered job.
func dead(t *testing.T, q *Queue, tenant string) DeadLetter {
	t.Helper()
	s := submission(tenant, unique("job"))
	s.MaxAttempts = 1
	enqueueSub(t, q, s)
	if state, err := claim(t, q, "w").Retry(t.Context(), Fault{Message: "the sandbox failed", Cause: "c"}); err != nil || state != Failed {
		t.Fatalf("%s, %v", state, err)
	}
	ds, err := q.DeadLetters(t.Context(), 1)
	if err != nil || len(ds) != 1 || ds[0].ID != s.Spec.ID {
		t.Fatalf("dead letters: %v, %v", ds, err)
	}
	return ds[0]
}

func TestReplay(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	d := dead(t, q, tenant)
	if ok, err := q.Replay(t.Context(), d, 2); err != nil || !ok {
		t.Fatalf("replay: %v, %v", ok, err)
	}
	r := wantState(t, q, tenant, d.ID, Queued)
	if r.Error != "" || r.FailureCategory != "" || !r.CompletedAt.IsZero() || !r.DeadLetteredAt.IsZero() || r.AttemptsMade != 0 || r.MaxAttempts != 2 {
		t.Errorf("record %+v, want one as new", r)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.job(d.ID)).Val(); ttl != -1 {
		t.Errorf("a job that waits expires in %v", ttl)
	}
	wantActive(t, q, tenant, 1)
	if ok, err := q.Replay(t.Context(), d, 2); err != nil || ok {
		t.Errorf("replayed twice: %v, %v", ok, err)
	}
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	wantState(t, q, tenant, d.ID, Succeeded)
	wantActive(t, q, tenant, 0)
	wantActions(t, q, tenant, "api job_submitted", "worker job_running", "worker job_failed", "worker job_dead_lettered",
		"worker job_replayed", "worker job_running", "worker job_succeeded")
}

func TestReplaySkips(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	d := dead(t, q, tenant)
	if ok, err := q.Replay(t.Context(), DeadLetter{ID: d.ID, Tenant: unique("other")}, 1); err != nil || ok {
		t.Errorf("another tenant's: %v, %v", ok, err)
	}
	if _, err := q.Replay(t.Context(), d, 0); job.ErrorCode(err) != job.EInvalid {
		t.Errorf("no attempts: %v, want invalid", err)
	}
	if ok, err := q.Drop(t.Context(), d); err != nil || !ok {
		t.Errorf("drop: %v, %v", ok, err)
	}
	if ok, err := q.Replay(t.Context(), d, 1); err != nil || ok {
		t.Errorf("dropped: %v, %v", ok, err)
	}
	wantState(t, q, tenant, d.ID, Failed)
	wantActive(t, q, tenant, 0)
}

func TestPurge(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	if err := q.Purge(t.Context(), tenant, id); !errors.Is(err, ErrUnfinished) {
		t.Errorf("a job that waits: %v, want ErrUnfinished", err)
	}
	if err := claim(t, q, "w").Complete(t.Context(), outcome("secret")); err != nil {
		t.Fatal(err)
	}
	if err := q.Purge(t.Context(), unique("other"), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's: %v, want ErrNotFound", err)
	}
	if err := q.Purge(t.Context(), tenant, id); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Get(t.Context(), tenant, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("get: %v, want ErrNotFound", err)
	}
	for _, key := range q.rdb.Keys(t.Context(), "*"+id+"*").Val() {
		t.Errorf("%s is left", key)
	}
	if p, err := q.History(t.Context(), tenant, HistoryQuery{Limit: 9}); err != nil || len(p.Jobs) != 0 {
		t.Errorf("history %v, %v, want none", p, err)
	}
	if u, _ := q.Usage(t.Context(), tenant); u.DailyJobs != 1 || u.EstimatedCostUsd != 0.00000027 {
		t.Errorf("usage %+v: what it cost is to stay", u)
	}
	wantActions(t, q, tenant, "api job_submitted", "worker job_running", "worker job_succeeded", "api job_deleted")
	d := dead(t, q, tenant)
	if err := q.Purge(t.Context(), tenant, d.ID); err != nil {
		t.Fatal(err)
	}
	if ds, err := q.DeadLetters(t.Context(), 9); err != nil || len(ds) != 0 {
		t.Errorf("dead letters %v, %v, want none", ds, err)
	}
}

func TestSubmitted(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.Spec.Stdin, s.Spec.Args, s.Priority = []byte{0, 255}, []string{"a"}, High
	enqueueSub(t, q, s)
	got, err := q.Submitted(t.Context(), tenant, s.Spec.ID)
	if err != nil || got.Spec.Source != s.Spec.Source || string(got.Spec.Stdin) != string(s.Spec.Stdin) || got.Spec.Args[0] != "a" ||
		got.Priority != High || got.Request != s.Request {
		t.Errorf("%+v, %v, want what was submitted", got, err)
	}
	if _, err := q.Submitted(t.Context(), unique("other"), s.Spec.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's: %v, want ErrNotFound", err)
	}
}

// An entry leaves the dead-letter list when its job expires.
func TestDeadLettersAreTrimmed(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	long := float64(time.Now().Add(-q.opts.DeadLetterTTL - time.Minute).UnixMilli())
	short := float64(time.Now().Add(-q.opts.DeadLetterTTL + time.Minute).UnixMilli())
	q.rdb.ZAdd(t.Context(), q.keys.of("DEAD"), redisZ(long, "old "+tenant), redisZ(short, "recent "+tenant))
	d := dead(t, q, tenant)
	var ids []string
	list, err := q.DeadLetters(t.Context(), 9)
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	if err != nil || fmt.Sprint(ids) != fmt.Sprint([]string{d.ID, "recent"}) {
		t.Errorf("dead letters %v, %v, want the recent ones", ids, err)
	}
}

// The oldest come first, page by page, without those that died after the given time.
func TestOldestDeadLetters(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	var all []DeadLetter
	for range 4 {
		all = append(all, dead(t, q, tenant))
	}
	first := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	at := func(i int) time.Time { return first.Add(time.Duration(i) * time.Millisecond) }
	for i := range all {
		all[i].DiedAt = at(i)
		q.rdb.ZAdd(t.Context(), q.keys.of("DEAD"), redisZ(float64(at(i).UnixMilli()), all[i].ID+" "+tenant))
	}
	for _, tt := range []struct {
		until, skip, limit int
		want               []DeadLetter
	}{
		{2, 0, 2, all[:2]}, {2, 2, 2, all[2:3]}, {2, 3, 2, nil}, {99, 1, 50, all[1:]}, {-1, 0, 50, nil}, {99, 0, 0, nil},
	} {
		got, err := q.OldestDeadLetters(t.Context(), at(tt.until), tt.skip, tt.limit)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("until %d, behind %d, at most %d: %v, %v\nwant %v", tt.until, tt.skip, tt.limit, got, err, tt.want)
		}
	}
	if now, err := q.Now(t.Context()); err != nil || time.Since(now).Abs() > time.Minute {
		t.Errorf("now is %v, %v", now, err)
	}
}
