// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"testing"
	"time"
)

// finished runs a job of a tenant to a good end.
func finished(t *testing.T, q *Queue, tenant string) string {
	t.Helper()
	id := enqueue(t, q, tenant)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	return id
}

func unarchived(t *testing.T, q *Queue) []Unarchived {
	t.Helper()
	list, err := q.Unarchived(t.Context(), 100)
	n, cerr := q.CountUnarchived(t.Context())
	if err != nil || cerr != nil || int(n) != len(list) {
		t.Fatalf("%d wait, %v; counted %d, %v", len(list), err, n, cerr)
	}
	return list
}

// One caller archives at a time. Jobs wait for the archive only where there is one.
func TestHoldArchive(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	finished(t, q, tenant)
	if list := unarchived(t, q); len(list) != 0 {
		t.Errorf("%v wait for an archive, there is none", list)
	}
	for _, tt := range []struct {
		holder string
		want   bool
	}{{"one", true}, {"two", false}, {"one", true}} {
		if got, err := q.HoldArchive(t.Context(), tt.holder, time.Minute); err != nil || got != tt.want {
			t.Errorf("%s holds the archive: %v, %v, want %v", tt.holder, got, err, tt.want)
		}
	}
	if ttl := q.rdb.PTTL(t.Context(), q.keys.of("ARCHIVER")).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("the lease ends in %v, want a minute", ttl)
	}
	id := finished(t, q, tenant)
	if list := unarchived(t, q); len(list) != 1 || list[0].ID != id || list[0].Tenant != tenant || list[0].Deleted {
		t.Errorf("%+v wait for the archive, want job %s", list, id)
	}
}

// A job is kept for the archive, a week, and as long as others once it is there. What changed meanwhile waits on.
func TestArchivedJobsExpireAsOthers(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	if _, err := q.HoldArchive(t.Context(), "copier", time.Minute); err != nil {
		t.Fatal(err)
	}
	wantTTL := func(when, id string, want time.Duration) {
		t.Helper()
		if ttl := q.rdb.TTL(t.Context(), q.keys.job(id)).Val(); ttl > want || ttl < want-time.Minute {
			t.Errorf("%s: the job expires in %v, want %v", when, ttl, want)
		}
	}
	id := finished(t, q, tenant)
	wantTTL("before", id, archiveTTL)
	old := unarchived(t, q)[0]
	old.score--
	if err := q.Archived(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if list := unarchived(t, q); len(list) != 1 {
		t.Fatalf("%d wait, want the one that changed meanwhile", len(list))
	}
	wantTTL("changed meanwhile", id, archiveTTL)
	if err := q.Archived(t.Context(), unarchived(t, q)[0]); err != nil {
		t.Fatal(err)
	}
	if list := unarchived(t, q); len(list) != 0 {
		t.Errorf("%v still wait", list)
	}
	wantTTL("archived", id, q.opts.JobTTL)

	d := dead(t, q, tenant)
	if err := q.Archived(t.Context(), unarchived(t, q)[0]); err != nil {
		t.Fatal(err)
	}
	wantTTL("dead-lettered and archived", d.ID, q.opts.DeadLetterTTL)
}

// Another tenant's job, and one that runs again, is not there to be archived.
func TestStored(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := finished(t, q, tenant)
	s, err := q.Stored(t.Context(), Unarchived{ID: id, Tenant: tenant})
	if err != nil || s.Source() != "print(1)\n" || s.Record().ID != id || string(s.Record().Result.Steps[0].Stdout.Data) != "x" {
		t.Errorf("%v, %v", s, err)
	}
	if r := s.Summary().Record(); r.Status != Succeeded || r.Result == nil || len(r.Result.Steps) != 0 {
		t.Errorf("summary %+v, want it without steps", r)
	}
	for _, u := range []Unarchived{{ID: id, Tenant: unique("other")}, {ID: unique("job"), Tenant: tenant}, {ID: enqueue(t, q, tenant), Tenant: tenant}} {
		if s, err := q.Stored(t.Context(), u); err != nil || s != nil {
			t.Errorf("%+v: %v, %v, want none", u, s, err)
		}
	}
}

func TestSetAnalysis(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	if _, err := q.HoldArchive(t.Context(), "copier", time.Minute); err != nil {
		t.Fatal(err)
	}
	id, a := finished(t, q, tenant), Analysis{Report: []byte(`{"summary":"x"}`), Provider: "heuristic", FallbackReason: "no key"}
	if err := q.Archived(t.Context(), unarchived(t, q)[0]); err != nil {
		t.Fatal(err)
	}
	if err := q.SetAnalysis(t.Context(), unique("other"), id, a, struct{}{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's job: %v, want ErrNotFound", err)
	}
	if r := get(t, q, tenant, id); r.Analysis.Report != nil {
		t.Errorf("another tenant set %s", r.Analysis.Report)
	}
	if err := q.SetAnalysis(t.Context(), tenant, id, a, map[string]string{"traceId": "t"}); err != nil {
		t.Fatal(err)
	}
	if r := get(t, q, tenant, id).Analysis; string(r.Report) != string(a.Report) || r.Provider != a.Provider || r.FallbackReason != a.FallbackReason || r.UpdatedAt.IsZero() {
		t.Errorf("%+v, want %+v", r, a)
	}
	if list := unarchived(t, q); len(list) != 1 || list[0].ID != id {
		t.Errorf("%v wait for the archive, want the job with its analysis", list)
	}
	if m := metadata(t, q, tenant, "job_analyzed"); m["traceId"] != "t" {
		t.Errorf("metadata %v", m)
	}
	waiting := enqueue(t, q, tenant)
	if err := q.SetAnalysis(t.Context(), tenant, waiting, a, struct{}{}); err != nil {
		t.Fatal(err)
	}
	if list := unarchived(t, q); len(list) != 1 {
		t.Errorf("%d wait for the archive, want none that is not finished", len(list)-1)
	}
}

// A tenant's calls of a model are counted by the day, and answers are the tenant's own.
func TestModelCalls(t *testing.T) {
	q, tenant, other := newQueue(t, Options{}), unique("tenant"), unique("other")
	for i, want := range []bool{true, true, false, false} {
		if got, err := q.SpendModelCall(t.Context(), tenant, 2); err != nil || got != want {
			t.Errorf("call %d: %v, %v, want %v", i+1, got, err, want)
		}
	}
	if got, err := q.SpendModelCall(t.Context(), other, 1); err != nil || !got {
		t.Errorf("another tenant's first: %v, %v", got, err)
	}
	if err := q.CacheAnswer(t.Context(), tenant, "digest", []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ tenant, digest, want string }{{tenant, "digest", `{"a":1}`}, {tenant, "another", ""}, {other, "digest", ""}} {
		if got, err := q.CachedAnswer(t.Context(), tt.tenant, tt.digest); err != nil || string(got) != tt.want {
			t.Errorf("%s %s: %q, %v, want %q", tt.tenant, tt.digest, got, err, tt.want)
		}
	}
}
