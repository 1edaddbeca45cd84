// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// enqueueIn admits a job in that language.
func enqueueIn(t testing.TB, q *Queue, tenant, language string) string {
	t.Helper()
	s := submission(tenant, unique("job"))
	s.Spec.Language = language
	return enqueueSub(t, q, s)
}

// takes is who takes jobs in those languages.
func takes(languages ...string) Claimer { return Claimer{Worker: "w", Languages: languages} }

// claimIn takes a job at once; "" if there is none in those languages.
func claimIn(t testing.TB, q *Queue, languages ...string) string {
	t.Helper()
	l, _, err := q.tryClaim(t.Context(), takes(languages...))
	if err != nil {
		t.Fatal(err)
	}
	if l == nil {
		return ""
	}
	return l.Job.ID
}

// publish says what a worker offers for an hour.
func publish(t testing.TB, q *Queue, worker string, ttl time.Duration, languages ...string) {
	t.Helper()
	var langs []job.Language
	for _, name := range languages {
		langs = append(langs, job.Language{Name: name, SourceFile: "main"})
	}
	if err := q.PublishRuntimes(t.Context(), worker, langs, ttl); err != nil {
		t.Fatal(err)
	}
}

// A tenant's first job in a language that a worker lacks holds up neither its later ones nor anybody else's, and is not lost.
func TestClaimSkipsLanguages(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	ruby := enqueueIn(t, q, a, "ruby")
	second, third := enqueueIn(t, q, a, "python"), enqueueIn(t, q, b, "java")
	if got := []string{claimIn(t, q, "python", "java"), claimIn(t, q, "python", "java"), claimIn(t, q, "python", "java")}; !slices.Equal(got, []string{second, third, ""}) {
		t.Errorf("claimed %q, want %q and nothing more", got, []string{second, third})
	}
	if r := wantState(t, q, a, ruby, Queued); r.AttemptsMade != 0 {
		t.Errorf("it has %d attempts", r.AttemptsMade)
	}
	if c, err := q.Counts(t.Context()); err != nil || c.Waiting != 1 || c.Stuck != 1 {
		t.Errorf("counts %+v, %v, want one that waits and is stuck", c, err)
	}
	publish(t, q, "w", time.Hour, "ruby")
	if c, err := q.Counts(t.Context()); err != nil || c.Waiting != 1 || c.Stuck != 0 {
		t.Errorf("counts %+v, %v, want one that waits and is not stuck", c, err)
	}
	publish(t, q, "w", time.Hour) // its daemon is away
	if f, err := q.Fleet(t.Context()); err != nil || !slices.Equal(f.Stuck, []string{"ruby"}) {
		t.Errorf("fleet %+v, %v, want ruby stuck at once", f, err)
	}
	if got := claimIn(t, q, "ruby"); got != ruby {
		t.Errorf("claimed %q, want %q", got, ruby)
	}
	if n := q.rdb.Exists(t.Context(), q.keys.of("WAITED"), q.keys.of("TAGS"), q.keys.of("ring", "ruby"), q.keys.of("waiting", "ruby", a), q.keys.of("since", "ruby")).Val(); n != 0 {
		t.Errorf("%d keys of what waits are left though nothing waits", n)
	}
}

// Tenants are served in turn whatever their jobs are written in, and the shares of a tenant's languages are one.
func TestFairAcrossLanguages(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	for range 4 {
		enqueueIn(t, q, a, "java")
		enqueueIn(t, q, a, "python")
		enqueueIn(t, q, a, "ruby") // nobody's
		enqueueIn(t, q, b, "python")
	}
	of := map[string]int{}
	for range 8 {
		l, _, err := q.tryClaim(t.Context(), takes("java", "python"))
		if err != nil || l == nil {
			t.Fatal(l, err)
		}
		of[l.Job.Tenant]++
	}
	if of[a] != 4 || of[b] != 4 {
		t.Errorf("of eight starts %d and %d, want four each", of[a], of[b])
	}
}

// commands is how many commands the server has run for scripts and clients.
func commands(t *testing.T, q *Queue) (n int) {
	t.Helper()
	info, err := q.rdb.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`cmdstat_(\w+):calls=(\d+)`).FindAllStringSubmatch(info, -1) {
		if m[1] != "info" && m[1] != "ping" {
			k, _ := strconv.Atoi(m[2])
			n += k
		}
	}
	return n
}

// A claim does not look at what it can't take: with a thousand tenants that wait for a language that nobody has, it is the same few
// commands.
func TestClaimCostsTheSame(t *testing.T) {
	q := newServer(t)
	cost := func() int {
		enqueueIn(t, q, "a", "python")
		enqueueIn(t, q, "a", "python")
		before := commands(t, q)
		if claimIn(t, q, "python") == "" {
			t.Fatal("nothing was claimed")
		}
		n := commands(t, q) - before
		if claimIn(t, q, "python") == "" {
			t.Fatal("nothing was claimed")
		}
		return n
	}
	enqueueIn(t, q, "b", "ruby")
	cost()
	few := cost()
	for i := range 1000 {
		enqueueIn(t, q, fmt.Sprintf("tenant-%d", i), "ruby")
	}
	if many := cost(); many > few+2 {
		t.Errorf("a claim takes %d commands with a thousand tenants whose language nobody has, %d without", many, few)
	} else {
		t.Logf("%d commands with a thousand tenants whose language nobody has, %d without", many, few)
	}
}

// Each worker is woken for its own languages: the token of one is not taken by another.
func TestWakesWhoCanRunIt(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	got := make(chan string, 2)
	for i, language := range []string{"python", "java"} {
		go func() {
			l, err := q.Claim(patience.Context(t), Claimer{Worker: unique(language), Languages: []string{language}})
			if err != nil {
				got <- err.Error()
				return
			}
			got <- l.Job.ID
		}()
		waitBlocked(t, q, i+1) // in this order: a token for both would be the first one's
	}
	start := time.Now()
	for _, language := range []string{"java", "python"} {
		id := enqueueIn(t, q, tenant, language)
		if next := patience.Receive(t, got, "the worker with "+language+" has its job"); next != id {
			t.Errorf("%s, want %s", next, id)
		}
	}
	if d := time.Since(start); d > maxBlock/2 {
		t.Errorf("it took %v: they waited out their block instead of being woken", d)
	}
}

// A language that nobody offers is waited for, for a bounded time; then the job fails, and gives back what it holds.
func TestSweep(t *testing.T) {
	q, tenant := newQueue(t, Options{MaxWait: time.Minute}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.Spec.Language, s.Webhook = "ruby", Webhook{URL: "https://hooks.example/x", Secret: "0123456789abcdef"}
	old, young := enqueueSub(t, q, s), enqueueIn(t, q, tenant, "ruby")
	offered, lately := enqueueIn(t, q, tenant, "python"), enqueueIn(t, q, tenant, "java")
	publish(t, q, "w1", time.Hour, "python", "java")
	publish(t, q, "w1", time.Hour, "python") // java went a moment ago
	long := float64(time.Now().Add(-2 * time.Minute).UnixMilli())
	for language, id := range map[string]string{"ruby": old, "python": offered, "java": lately} {
		q.rdb.ZAdd(t.Context(), q.keys.of("since", language), redisZ(long, id+" "+tenant))
	}
	woken := make(chan Record, 1)
	go func() {
		r, _ := q.Wait(patience.Context(t), tenant, old)
		woken <- r
	}()
	if n, err := q.Sweep(t.Context()); n != 1 || err != nil {
		t.Fatalf("sweep = %d, %v, want one job", n, err)
	}
	if n, err := q.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("the second sweep = %d, %v, want none", n, err)
	}
	r := wantState(t, q, tenant, old, Failed)
	if r.Error != "no worker offered ruby within 60 seconds" || r.FailureCategory != "infrastructure" || r.AttemptsMade != 0 || r.EstimatedCostUsd != 0 || r.CompletedAt.IsZero() {
		t.Errorf("%+v", r)
	}
	if r := patience.Receive(t, woken, "who waits for the job is woken"); r.Status != Failed {
		t.Errorf("who waited was told %s", r.Status)
	}
	for _, id := range []string{young, offered, lately} {
		wantState(t, q, tenant, id, Queued)
	}
	wantActive(t, q, tenant, 3)
	if d, err := q.ClaimDelivery(patience.Context(t), Deliverer{Worker: "api"}); err != nil || d.JobID != old {
		t.Errorf("the webhook: %+v, %v", d, err)
	}
	if got := claimIn(t, q, "ruby"); got != young {
		t.Errorf("claimed %q, want the young one", got)
	}
}

// Without any worker, a job whose worker died does not run for ever: whoever sweeps puts it back.
func TestSweepTakesOver(t *testing.T) {
	q, tenant := newQueue(t, Options{Lease: 100 * time.Millisecond}), unique("tenant")
	id := enqueue(t, q, tenant)
	claim(t, q, "dies")
	patience.Until(t, "the job is put back", func() (bool, string) {
		if _, err := q.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := get(t, q, tenant, id).Status
		return s == Retrying, string(s)
	})
}

// When nobody could talk to Redis for a while, it was Redis: its return takes no job from a worker that is there. It has the time of a
// lease.
func TestRedisBackSparesLeases(t *testing.T) {
	q, tenant := newQueue(t, Options{Lease: 400 * time.Millisecond}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.MaxAttempts = 1
	id := enqueueSub(t, q, s)
	l := claim(t, q, "w1")
	ctx := t.Context()
	past := func(key string, score float64, member string) {
		if err := q.rdb.ZAdd(ctx, key, redisZ(score, member)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	// As if the last word was before a long silence, in which the lease ended.
	q.rdb.Set(ctx, q.keys.of("LAST_STEP"), time.Now().Add(-2*silence).UnixMilli(), 0)
	past(q.keys.of("LEASES"), float64(time.Now().Add(-silence).UnixMilli()), id+" "+tenant)
	if got, wait, err := q.tryClaim(ctx, taker("w2")); got != nil || err != nil || wait <= 0 {
		t.Fatalf("claim = %+v, %v, %v, want nothing yet", got, wait, err)
	}
	if _, err := l.Release(ctx, "no room"); err != nil {
		t.Errorf("the worker that is there hands its job back: %v", err)
	}
	if r := wantState(t, q, tenant, id, Queued); r.AttemptsMade != 0 {
		t.Errorf("%d attempts, want none", r.AttemptsMade)
	}
	// A worker that is gone has its job taken over all the same, when that time is over.
	claim(t, q, "dies")
	q.rdb.Set(ctx, q.keys.of("LAST_STEP"), time.Now().Add(-2*silence).UnixMilli(), 0)
	patience.Until(t, "the lease is taken over", func() (bool, string) {
		if got, _, err := q.tryClaim(ctx, taker("w2")); got != nil || err != nil {
			t.Fatal(got, err)
		}
		s := get(t, q, tenant, id).Status
		return s == Failed, string(s) // it was the only attempt
	})
}

// What waits in the form of older versions, one queue a tenant, is moved by a claim.
func TestOldQueueIsMoved(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	var want []string
	for range 20 {
		want = append(want, enqueue(t, q, tenant))
	}
	for _, z := range q.rdb.ZRangeWithScores(t.Context(), q.keys.of("waiting", "python", tenant), 0, -1).Val() {
		q.rdb.ZAdd(t.Context(), q.keys.of("oldWaiting", tenant), z)
	}
	q.rdb.ZAdd(t.Context(), q.keys.of("OLD_RING"), redisZ(0, tenant))
	q.rdb.Del(t.Context(), q.keys.of("waiting", "python", tenant), q.keys.of("ring", "python"), q.keys.of("since", "python"), q.keys.of("WAITED"), q.keys.of("TAGS"))
	var got []string
	for id := claimIn(t, q, "python"); id != ""; id = claimIn(t, q, "python") {
		got = append(got, id)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("claimed %v, want %v", got, want)
	}
	if n := q.rdb.Exists(t.Context(), q.keys.of("OLD_RING"), q.keys.of("oldWaiting", tenant)).Val(); n != 0 {
		t.Errorf("%d old keys are left", n)
	}
}

// Who is alive and what can be submitted are two facts.
func TestFleet(t *testing.T) {
	q := newQueue(t, Options{})
	want := func(when string, workers, ready int, now, known string) {
		t.Helper()
		f, err := q.Fleet(t.Context())
		if err != nil || f.Workers != workers || f.Ready != ready || fmt.Sprint(languageNames(f.Now)) != now || fmt.Sprint(languageNames(f.Known)) != known {
			t.Errorf("%s: %+v, %v; want %d workers, %d ready, now %s, known %s", when, f, err, workers, ready, now, known)
		}
		if a, err := q.Activity(t.Context(), time.Minute); err != nil || a.Workers != int64(workers) || a.Ready != int64(ready) {
			t.Errorf("%s: activity %+v, %v", when, a, err)
		}
	}
	want("empty", 0, 0, "[]", "[]")
	publish(t, q, "w1", time.Hour, "python", "ruby")
	publish(t, q, "w2", time.Hour, "python")
	want("two workers", 2, 2, "[python ruby]", "[python ruby]")
	publish(t, q, "w1", time.Hour)
	want("the daemon of one is away", 2, 1, "[python]", "[python ruby]")
	publish(t, q, "w1", 0)
	publish(t, q, "w2", 0)
	want("all are gone", 0, 0, "[]", "[python ruby]")
	if known, err := q.ForgetLanguage(t.Context(), "ruby"); !known || err != nil {
		t.Errorf("forget = %v, %v", known, err)
	}
	if known, err := q.ForgetLanguage(t.Context(), "ruby"); known || err != nil {
		t.Errorf("forget again = %v, %v", known, err)
	}
	want("ruby is forgotten", 0, 0, "[]", "[python]")
	q.rdb.ZAdd(t.Context(), q.keys.of("OFFERED"), redisZ(float64(time.Now().Add(-keepLanguage-time.Hour).UnixMilli()), "python"))
	want("after thirty days", 0, 0, "[]", "[]")
}

func languageNames(list []job.Language) []string {
	names := []string{}
	for _, l := range list {
		names = append(names, l.Name)
	}
	return names
}

// A job that an older api cancelled, which does not know where it waits now, is not run.
func TestFinishedJobIsNotClaimed(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	first, second := enqueue(t, q, tenant), enqueue(t, q, tenant)
	q.rdb.HSet(t.Context(), q.keys.job(first), "status", "cancelled")
	if got := claimIn(t, q, "python"); got != second {
		t.Errorf("claimed %q, want %q", got, second)
	}
}
