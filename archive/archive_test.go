// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// submit submits a job and returns its id.
func (r *rig) submit(t testing.TB, tenant string) string {
	t.Helper()
	id := unique("job")
	_, err := r.queue.Submit(t.Context(), queue.Submission{
		Spec: job.Spec{ID: id, Tenant: tenant, Language: "python", Source: "print(1) # \x00 ä", Stdin: []byte{0, 0xff}, Args: []string{"a"}}, MaxAttempts: 1, TraceID: "trace-1",
		Request: queue.Request{TimeoutMs: 3000, MemoryMb: 128, CPUMillicores: 256}, MaxConcurrent: 100, MaxDaily: 100,
		Webhook: queue.Webhook{URL: "https://x.example", Secret: "a secret of sixteen"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// finish runs the next job to its end; it cost 0.00000027 USD.
func (r *rig) finish(t testing.TB) {
	t.Helper()
	l, err := r.queue.Claim(patience.Context(t), queue.Claimer{Worker: "w", Languages: []string{"python"}})
	if err != nil {
		t.Fatal(err)
	}
	code := 1
	out := job.Output{Data: []byte("out\x00\xff"), Bytes: 5}
	err = l.Complete(t.Context(), queue.Outcome{Result: job.Result{Status: job.Failed, Verdict: job.WallTime, ExitCode: &code, WallMs: 90, Tier: "jail",
		Steps: []job.Step{{Name: "run", Verdict: job.WallTime, ExitCode: &code, Stdout: out}}}, FailureCategory: "timeout", EstimatedCostUsd: 2.7e-7, BillableDurationMs: 90, CostModelVersion: "v1"})
	if err != nil {
		t.Fatal(err)
	}
}

// costToday is what the tenant's jobs have cost, by the archive.
func (r *rig) costToday(t testing.TB, tenant string) float64 {
	t.Helper()
	now := time.Now().UTC()
	costs, err := r.archive.Costs(t.Context(), tenant, now.AddDate(0, 0, -1), now)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, usd := range costs {
		sum += usd
	}
	return sum
}

// What is finished can be read as it was when Redis has nothing of it any more, by its tenant alone.
func TestArchived(t *testing.T) {
	r := newRig(t)
	mine, other := unique("tenant"), unique("tenant")
	var jobs []string
	for range 5 {
		jobs = append(jobs, r.submit(t, mine))
		r.finish(t)
	}
	waits := r.submit(t, mine)
	want, err := r.queue.Get(t.Context(), mine, jobs[0])
	if err != nil {
		t.Fatal(err)
	}
	trail, err := r.queue.Events(t.Context(), mine, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	r.copy(t)
	r.redis.Do(t, "FLUSHALL")

	got, err := r.archive.Get(t.Context(), mine, jobs[0])
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if sub, err := r.archive.Submitted(t.Context(), mine, jobs[0]); err != nil || string(sub.Spec.Stdin) != "\x00\xff" || sub.Spec.Args[0] != "a" || sub.Webhook != (queue.Webhook{}) {
		t.Errorf("submitted %+v, %v", sub, err)
	}
	if source, err := r.archive.Source(t.Context(), mine, jobs[0]); err != nil || source != "print(1) # \x00 ä" {
		t.Errorf("source %q, %v", source, err)
	}
	if usd := r.costToday(t, mine); usd != 5*2.7e-7 {
		t.Errorf("cost %v", usd)
	}
	events, err := r.archive.Events(t.Context(), mine, "", 100)
	if diff := cmp.Diff(trail, events); err != nil || diff != "" {
		t.Errorf("audit: %v (-want +got):\n%s", err, diff)
	}
	if older, err := r.archive.Events(t.Context(), mine, trail[2].StreamID, 2); err != nil || len(older) != 2 || older[0].StreamID != trail[3].StreamID {
		t.Errorf("audit before %s: %v, %v", trail[2].StreamID, older, err)
	}
	if all, err := r.archive.Events(t.Context(), mine, "9999999999999999999-9999999999999999999", 100); err != nil || len(all) != len(trail) {
		t.Errorf("audit before the end of time: %d events, %v, want %d", len(all), err, len(trail))
	}
	var ids []string
	for h := (queue.HistoryQuery{Limit: 2, Status: queue.TimedOut, Language: "python"}); ; {
		p, err := r.archive.History(t.Context(), mine, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range p.Jobs {
			ids = append(ids, j.ID)
		}
		if h.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	slices.Reverse(jobs)
	if !slices.Equal(ids, jobs) {
		t.Errorf("history %v, want %v", ids, jobs)
	}
	if p, err := r.archive.History(t.Context(), mine, queue.HistoryQuery{Limit: len(jobs)}); err != nil || len(p.Jobs) != len(jobs) || p.Next != "" {
		t.Errorf("a page of just all: %d jobs, next %q, %v; want no cursor to an empty page", len(p.Jobs), p.Next, err)
	}
	for name, h := range map[string]queue.HistoryQuery{"status": {Limit: 9, Status: queue.Succeeded}, "language": {Limit: 9, Language: "java\x00"}, "time": {Limit: 9, To: want.CreatedAt.Add(-time.Second)}} {
		if p, err := r.archive.History(t.Context(), mine, h); err != nil || len(p.Jobs) != 0 {
			t.Errorf("by %s: %v, %v", name, p.Jobs, err)
		}
	}
	if p, err := r.archive.History(t.Context(), mine, queue.HistoryQuery{Limit: 1}); err != nil || len(p.Jobs) != 1 || p.Jobs[0].Result == nil || p.Jobs[0].Result.Steps != nil {
		t.Errorf("summary %+v, %v", p, err)
	}

	for _, id := range []string{waits, "none", "a\x00b", "\xff", "' OR 1=1 --"} {
		if _, err := r.archive.Get(t.Context(), mine, id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("job %q: %v", id, err)
		}
	}
	if _, err := r.archive.Get(t.Context(), other, jobs[0]); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("another tenant: %v", err)
	}
	if there, err := r.archive.Delete(t.Context(), other, jobs[0]); there || err != nil {
		t.Errorf("another tenant deletes: %v, %v", there, err)
	}
	if p, err := r.archive.History(t.Context(), other, queue.HistoryQuery{Limit: 9}); err != nil || len(p.Jobs) != 0 {
		t.Errorf("another tenant's history: %v, %v", p.Jobs, err)
	}
	if events, err := r.archive.Events(t.Context(), other, "", 9); err != nil || len(events) != 0 || r.costToday(t, other) != 0 {
		t.Errorf("another tenant's audit: %v, %v", events, err)
	}
}

// Copying again changes what is there and bills nothing twice, also when two do it at once.
func TestArchivedAgain(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	id := r.submit(t, tenant)
	r.finish(t)
	r.copy(t)
	if err := r.queue.SetAnalysis(t.Context(), tenant, id, queue.Analysis{Report: []byte(`{"a":1}`), Provider: "heuristic"}, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	waits := r.waiting(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := r.archive.write(t.Context(), r.copier.name, waits); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := r.archive.Get(t.Context(), tenant, id); err != nil || string(got.Analysis.Report) != `{"a":1}` || r.costToday(t, tenant) != 2.7e-7 {
		t.Errorf("%+v, %v; cost %v", got.Analysis, err, r.costToday(t, tenant))
	}
	if err := r.archive.SetAnalysis(t.Context(), tenant, id, queue.Analysis{Report: []byte(`{"b":2}`), Provider: "openai", UpdatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.archive.Get(t.Context(), tenant, id); err != nil || string(got.Analysis.Report) != `{"b":2}` {
		t.Errorf("%+v, %v", got.Analysis, err)
	}
	// While one copies, another does not.
	second := newCopier(t, r)
	if mine, err := r.queue.HoldArchive(t.Context(), second.name, holdTime); mine || err != nil {
		t.Errorf("a second copier: %v, %v", mine, err)
	}
}

// What a tenant deletes is gone from the archive, whenever that happens. What it cost stays.
func TestArchiveDeletes(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	purge := func(id string) {
		t.Helper()
		if err := r.queue.Purge(t.Context(), tenant, id); err != nil {
			t.Fatal(err)
		}
	}
	before, after, between := r.submit(t, tenant), "", ""
	r.finish(t)
	purge(before)
	r.copy(t)
	after = r.submit(t, tenant)
	r.finish(t)
	r.copy(t)
	purge(after)
	r.copy(t)
	between = r.submit(t, tenant)
	r.finish(t)
	waits := r.waiting(t)
	purge(between) // the copier has read it, and not written it yet
	if _, err := r.archive.Delete(t.Context(), tenant, between); err != nil {
		t.Fatal(err)
	}
	if err := r.archive.write(t.Context(), r.copier.name, waits); err != nil {
		t.Fatal(err)
	}
	if err := r.queue.Archived(t.Context(), waits[0].Unarchived); err != nil {
		t.Fatal(err)
	}
	r.copy(t)
	for name, id := range map[string]string{"before it was copied": before, "after": after, "between": between} {
		if _, err := r.archive.Get(t.Context(), tenant, id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("deleted %s: %v", name, err)
		}
	}
	if usd := r.costToday(t, tenant); usd != 2*2.7e-7 {
		t.Errorf("cost %v, want that of the two that were copied", usd)
	}
	if n, err := r.queue.CountUnarchived(t.Context()); n != 0 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}

// While the database is away what is finished waits in Redis, longer than it is kept otherwise; when it is back, all comes over.
func TestArchiveAway(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	r.kill()
	var jobs []string
	for range 3 {
		jobs = append(jobs, r.submit(t, tenant))
		r.finish(t)
	}
	if _, err := r.copier.round(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Fatalf("round: %v, want ErrUnreachable", err)
	}
	// What asks now is not kept waiting.
	for _, err := range []error{
		second(r.archive.Get(t.Context(), tenant, jobs[0])), second(r.archive.History(t.Context(), tenant, queue.HistoryQuery{Limit: 1})), second(r.archive.Events(t.Context(), tenant, "", 1)),
	} {
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("%v, want ErrUnreachable", err)
		}
	}
	if r.archive.downUntil.IsZero() || r.copier.archive.downUntil.IsZero() {
		t.Error("each request tries the database again, and waits for it")
	}
	if ttl := r.redis.Do(t, "TTL", "job:"+jobs[0]); len(ttl) != len("604800") {
		t.Errorf("a job that waits is kept for %s s, want a week", ttl)
	}
	r.start(t)
	r.archive.downUntil, r.copier.archive.downUntil = time.Time{}, time.Time{}
	r.copy(t)
	for _, id := range jobs {
		if _, err := r.archive.Get(t.Context(), tenant, id); err != nil {
			t.Errorf("job %s: %v", id, err)
		}
	}
	if ttl := r.redis.Do(t, "TTL", "job:"+jobs[0]); ttl != "3600" && ttl != "3599" {
		t.Errorf("an archived job is kept for %s s, want an hour", ttl)
	}
	if usd := r.costToday(t, tenant); usd != 3*2.7e-7 {
		t.Errorf("cost %v", usd)
	}
}

func second[T any](_ T, err error) error { return err }

// What the database refuses holds nothing else up.
func TestArchiveRefuses(t *testing.T) {
	r := newRig(t)
	bad, good := unique("tenant")+"\x00", unique("tenant")
	r.submit(t, bad)
	r.finish(t)
	id := r.submit(t, good)
	r.finish(t)
	r.copy(t)
	if _, err := r.archive.Get(t.Context(), good, id); err != nil {
		t.Error(err)
	}
	if events, err := r.archive.Events(t.Context(), good, "", 9); err != nil || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if n, err := r.queue.CountUnarchived(t.Context()); n != 0 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}

// An archived trail is held to its hashes too.
func TestArchiveVerify(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	for range 3 {
		r.submit(t, tenant)
		r.finish(t)
	}
	r.copy(t)
	whole, err := r.archive.Verify(t.Context(), tenant, queue.Anchor{})
	if err != nil || whole.Events != 9 || whole.First != 1 || whole.Last != 9 {
		t.Fatalf("%+v, %v", whole, err)
	}
	if _, err := r.archive.Verify(t.Context(), tenant, queue.Anchor{Number: 5, Hash: "other"}); !errors.Is(err, queue.ErrBroken) {
		t.Errorf("another anchor: %v", err)
	}
	for _, sql := range []string{`UPDATE ccee_audit SET action = 'job_succeeded' WHERE seq = '3'`, `DELETE FROM ccee_audit WHERE seq = '4'`} {
		if _, err := r.archive.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		if _, err := r.archive.Verify(t.Context(), tenant, queue.Anchor{}); !errors.Is(err, queue.ErrBroken) {
			t.Errorf("after %s: %v", sql, err)
		}
	}
}

// A mistake in the URL is told without the password.
func TestOpenSays(t *testing.T) {
	for _, url := range []string{"postgres://u:hunter2@h:port/db", "mysql://u:hunter2@h/db", "hunter2"} {
		if _, err := Open(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func FuzzStored(f *testing.F) {
	f.Add("a", "b\xff", "")
	f.Fuzz(func(t *testing.T, name, a, b string) {
		want := queue.Stored{"x" + strings.ToValidUTF8(name, ""): a, "result": b}
		bytes, err := encode(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decode(bytes); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	})
}
