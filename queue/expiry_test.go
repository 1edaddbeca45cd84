// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// finishAll runs jobs of a tenant through every way that a job can go, webhooks and archive included, until nothing waits.
func finishAll(t *testing.T, q *Queue, tenant string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	must(q.PublishRuntimes(ctx, "w", []job.Language{{Name: "python"}}, time.Minute))
	_, err := q.HoldArchive(ctx, "copier", time.Minute)
	must(err)
	_, err = q.TakeDepth(ctx, time.Minute, time.Second)
	must(err)
	submit := func(change func(*Submission)) *Lease {
		s := submission(tenant, unique("job"))
		s.Window, s.RequestLimit, s.SubmitLimit = time.Minute, 1000, 1000
		s.Webhook = Webhook{"https://example.com/", "0123456789abcdef"}
		if change != nil {
			change(&s)
		}
		enqueueSub(t, q, s)
		l := claim(t, q, "w")
		must(l.Emit(ctx, []job.Event{{Type: job.EventStdout, Step: "run", Data: []byte("x")}}))
		return l
	}
	succeeded := submit(func(s *Submission) { s.IdempotencyKey, s.RequestDigest = "one", "digest" })
	must(succeeded.Complete(ctx, outcome("x")))
	must(submit(nil).Fail(ctx, Fault{Message: "m", Cause: "c"}))
	_, err = submit(func(s *Submission) { s.MaxAttempts = 1 }).Retry(ctx, Fault{Message: "m"}) // dead-lettered
	must(err)
	_, err = submit(nil).Release(ctx, "c")
	must(err)
	retried := claim(t, q, "w")
	_, err = retried.Retry(ctx, Fault{Message: "m"})
	must(err)
	must(claim(t, q, "w").Complete(ctx, outcome("x")))
	cancelled := enqueue(t, q, tenant)
	_, err = q.Cancel(ctx, tenant, cancelled)
	must(err)
	must(q.SetAnalysis(ctx, tenant, cancelled, Analysis{Report: []byte(`{}`), Provider: "heuristic"}, struct{}{}))
	purged := submit(nil)
	must(purged.Complete(ctx, outcome("x")))
	must(q.Purge(ctx, tenant, purged.Job.ID))
	_, err = q.SpendModelCall(ctx, tenant, 5)
	must(err)
	must(q.CacheAnswer(ctx, tenant, "digest", []byte(`{}`)))
	must(q.Redeliver(ctx, RateRequest{Tenant: tenant, Limit: 5, Window: time.Minute}, succeeded.Job.ID))
	for range 4 { // of the jobs that have one and were not deleted
		must(q.Delivered(ctx, claimDelivery(t, q), DeliveryAttempt{Attempt: 1}, 0))
	}
	waiting, err := q.Unarchived(ctx, 100)
	must(err)
	for _, u := range waiting {
		must(q.Archived(ctx, u))
	}
}

// Each key that Redis has when all jobs are finished is of a kind that keyTable lists, and expires, unless its kind says why it stays; what
// stays as long as jobs or webhooks wait is gone.
func TestKeysOfFinishedJobsExpire(t *testing.T) {
	q := newServer(t)
	tenant := unique("tenant")
	finishAll(t, q, tenant)
	forms := map[string]*regexp.Regexp{}
	for _, row := range keyTable {
		expr := "^" + regexp.QuoteMeta(row.form) + "$"
		for option, name := range map[string]string{"q": q.opts.Name, "dlq": q.opts.DeadLetterName, "audit": q.opts.AuditName} {
			expr = strings.ReplaceAll(expr, "<"+option+">", regexp.QuoteMeta(name))
		}
		expr = strings.ReplaceAll(expr, "<kind>", "("+string(Requests)+"|"+string(Submits)+"|"+string(Redeliveries)+")")
		forms[row.name] = regexp.MustCompile(bracketed.ReplaceAllString(expr, "[^:]+"))
	}
	stays := map[string]bool{bounded: true, perTenant: true, removed: true}
	seen := map[string]bool{}
	for _, name := range scan(t, q) {
		found := false
		for _, row := range keyTable {
			if !forms[row.name].MatchString(name) {
				continue
			}
			found, seen[row.name] = true, true
			if ttl := q.rdb.TTL(t.Context(), name).Val(); ttl < 0 && !stays[row.stays] {
				t.Errorf("%s (%s) never expires; it may stay %q", name, row.name, row.stays)
			}
		}
		if !found {
			t.Errorf("keyTable does not list %s", name)
		}
	}
	for _, name := range []string{"jobKey", "history", "activeJobs", "dailyJobs", "dailyCost", "rateKey", "idempotent", "modelCalls", "modelAnswer", "stored",
		"storedUntil", "auditTrail", "auditHead", "AUDIT", "STATS", "tally", "deliveries", "events", "ARCHIVING", "DEPTH", "DEAD"} {
		if !seen[name] {
			t.Errorf("the test leaves no key of the kind %s, so it shows nothing of it", name)
		}
	}
}

// scan returns all keys.
func scan(t *testing.T, q *Queue) (all []string) {
	t.Helper()
	for it := q.rdb.Scan(t.Context(), 0, "*", 1000).Iterator(); it.Next(t.Context()); {
		all = append(all, it.Val())
	}
	return all
}

// How long what a finished job leaves is kept. A day's costs are kept for longer than GET /v1/costs can ask for, 30 days.
func TestHowLongKeysStay(t *testing.T) {
	q, tenant := newServer(t), unique("tenant")
	finishAll(t, q, tenant)
	jobs := q.rdb.ZRange(t.Context(), q.keys.history(tenant), 0, -1).Val()
	today := time.Now().UTC().Format(time.DateOnly)
	for key, want := range map[string]time.Duration{
		q.keys.job(jobs[0]): 24 * time.Hour, q.keys.events(jobs[0]): eventsTTL, q.keys.deliveries(jobs[0]): archiveTTL, q.keys.history(tenant): 24 * time.Hour,
		q.keys.of("dailyJobs", tenant, today): 48 * time.Hour, q.keys.of("modelCalls", tenant, today): 48 * time.Hour,
		q.keys.of("dailyCost", tenant, today): 35 * 24 * time.Hour, q.keys.of("idempotent", tenant, keyDigest("one")): IdempotencyTTL,
		q.keys.modelAnswer(tenant, "digest"): 24 * time.Hour, q.keys.of("ARCHIVING"): archiveTTL,
		q.keys.of("stored", tenant): 15 * 24 * time.Hour, q.keys.of("storedUntil", tenant): 15 * 24 * time.Hour,
	} {
		if got := q.rdb.TTL(t.Context(), key).Val(); got > want || got < want-time.Minute {
			t.Errorf("%s expires in %s, want %s", key, got, want)
		}
	}
}
