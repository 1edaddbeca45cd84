// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccee-dev/ccee/job"
)

// actions returns what the tenant's audit says, the oldest first, and checks that it is whole.
func actions(t *testing.T, q *Queue, tenant string) []string {
	t.Helper()
	events, err := q.Events(t.Context(), tenant, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(events))
	for i, e := range events {
		var m map[string]any
		if err := json.Unmarshal(e.Metadata, &m); err != nil || m["traceId"] == nil || m["traceId"] == "" {
			t.Errorf("%s: metadata %s, want an object with a traceId", e.Action, e.Metadata)
		}
		if e.Tenant != tenant || e.StreamID == "" || time.Since(e.Timestamp) > time.Minute {
			t.Errorf("event %+v", e)
		}
		out[len(events)-1-i] = e.Actor + " " + e.Action
	}
	if c, err := q.Verify(t.Context(), tenant, Anchor{}); err != nil || c.Events != int64(len(events)) {
		t.Errorf("verify: %+v, %v, want %d events", c, err, len(events))
	}
	return out
}

func wantActions(t *testing.T, q *Queue, tenant string, want ...string) {
	t.Helper()
	if got := actions(t, q, tenant); !slices.Equal(got, want) {
		t.Errorf("the audit says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAuditOfGoodJob(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.AuthType, s.Subject = "api_key", "someone"
	enqueueSub(t, q, s)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	wantActions(t, q, tenant, "api job_submitted", "worker job_running", "worker job_succeeded")
	wantMetadata(t, q, tenant, "job_submitted", map[string]any{"traceId": s.TraceID, "authType": "api_key", "subject": "someone", "language": "python",
		"timeoutMs": 3000.0, "memoryMb": 128.0, "cpuMillicores": 256.0, "maxAttempts": 3.0})
	wantMetadata(t, q, tenant, "job_running", map[string]any{"traceId": s.TraceID, "attemptNumber": 1.0})
	wantMetadata(t, q, tenant, "job_succeeded", map[string]any{"traceId": s.TraceID, "timedOut": false, "exitCode": 0.0, "durationMs": 90.0,
		"estimatedCostUsd": 2.7e-07, "failureCategory": "none", "verdict": "exited"})

	// A failed job has the same; no exit code is -1, as dashboards know it.
	enqueue(t, q, tenant)
	o := outcome("x")
	o.Result.Status, o.Result.Verdict, o.Result.ExitCode, o.FailureCategory = job.Failed, job.WallTime, nil, "timeout"
	if err := claim(t, q, "w").Complete(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	failed := metadata(t, q, tenant, "job_failed")
	if failed["timedOut"] != true || failed["exitCode"] != -1.0 || failed["failureCategory"] != "timeout" {
		t.Errorf("job_failed: %v", failed)
	}
}

// wantMetadata checks all of what the latest event with an action says.
func wantMetadata(t *testing.T, q *Queue, tenant, action string, want map[string]any) {
	t.Helper()
	if got := metadata(t, q, tenant, action); !maps.Equal(got, want) {
		t.Errorf("%s says %v, want %v", action, got, want)
	}
}

func TestAuditOfDeadJob(t *testing.T) {
	q, tenant := newQueue(t, Options{RetryBackoff: time.Millisecond, RetryMaxDelay: time.Millisecond}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.MaxAttempts = 2
	enqueueSub(t, q, s)
	for range 2 {
		if _, err := claim(t, q, "w").Retry(t.Context(), Fault{Message: "the sandbox failed", Cause: "no /dev/x"}); err != nil {
			t.Fatal(err)
		}
	}
	wantActions(t, q, tenant, "api job_submitted", "worker job_running", "worker job_retrying", "worker job_running", "worker job_failed",
		"worker job_dead_lettered")
	wantMetadata(t, q, tenant, "job_running", map[string]any{"traceId": s.TraceID, "attemptNumber": 2.0})
	wantMetadata(t, q, tenant, "job_retrying", map[string]any{"traceId": s.TraceID, "nextAttemptNumber": 2.0, "error": "the sandbox failed"})
	wantMetadata(t, q, tenant, "job_failed", map[string]any{"traceId": s.TraceID, "error": "the sandbox failed"})
	if dead := metadata(t, q, tenant, "job_dead_lettered"); dead["reason"] != "the sandbox failed" {
		t.Errorf("job_dead_lettered: %v", dead)
	}
	events, _ := q.Events(t.Context(), tenant, "", 1)
	if m := string(events[0].Metadata); strings.Contains(m, "/dev/x") || !strings.Contains(m, `"dlqJobId":"`+s.Spec.ID+"-dlq-") {
		t.Errorf("metadata %s: want the id of the dead letter, and no internals", m)
	}
}

func TestAuditOfCancelling(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	l := claim(t, q, "w")
	for range 2 {
		if _, err := q.Cancel(t.Context(), tenant, id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Release(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	id = enqueue(t, q, tenant)
	if _, err := q.Cancel(t.Context(), tenant, id); err != nil {
		t.Fatal(err)
	}
	wantActions(t, q, tenant, "api job_submitted", "worker job_running", "api job_cancel_requested", "worker job_cancelled",
		"api job_submitted", "api job_cancelled")
}

// A caller that writes one event for many jobs has them submitted without one each.
func TestUnauditedSubmission(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.Unaudited = true
	enqueueSub(t, q, s)
	enqueue(t, q, tenant)
	wantActions(t, q, tenant, "api job_submitted")
}

// What is refused is noted, but a flood of it does not fill the trail.
func TestAuditOfRefusals(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.Window, s.RequestLimit, s.SubmitLimit, s.MaxDaily = time.Hour, 3, 2, 1
	for range 6 {
		s.Spec.ID = unique("job")
		_, _ = q.Submit(t.Context(), s)
	}
	wantActions(t, q, tenant, "api job_submitted", "api submission_rejected_quota", "api submission_rejected_burst", "api rate_limited")
	for action, want := range map[string]map[string]any{
		"rate_limited":              {"method": "POST", "path": s.Path, "limit": 3.0, "used": 4.0},
		"submission_rejected_burst": {"method": "POST", "path": s.Path, "limit": 2.0, "used": 3.0},
		"submission_rejected_quota": {"reason": MaxDailyJobs, "activeJobs": 1.0, "dailyJobs": 1.0},
	} {
		got := metadata(t, q, tenant, action)
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%s: %s is %v, want %v", action, name, got[name], v)
			}
		}
		if wait, _ := got["retryAfterSeconds"].(float64); (wait >= 1) != (action != "submission_rejected_quota") || wait > 3600 || got["traceId"] != s.TraceID {
			t.Errorf("%s: %v", action, got)
		}
	}
}

// metadata is that of the latest event with an action.
func metadata(t *testing.T, q *Queue, tenant, action string) (m map[string]any) {
	t.Helper()
	events, err := q.Events(t.Context(), tenant, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Action == action {
			if err := json.Unmarshal(e.Metadata, &m); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Errorf("no event %s", action)
	return nil
}

func TestAuditIsBounded(t *testing.T) {
	q, tenant := newQueue(t, Options{AuditMax: 10, AuditName: unique("audit"), AuditAllMax: 10}), unique("tenant")
	const written = 1000
	for range written {
		if err := q.Audit(t.Context(), tenant, "job_analyzed", "", map[string]any{"traceId": "trace-1"}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := q.Verify(t.Context(), tenant, Anchor{})
	if err != nil || c.Last != written || c.First == 1 || c.Events > 200 { // Redis trims by whole nodes of 100 entries
		t.Errorf("verify: %+v, %v, want the last of %d events", c, err, written)
	}
	if n := q.rdb.XLen(t.Context(), q.keys.of("AUDIT")).Val(); n > 200 {
		t.Errorf("the audit of all tenants has %d events", n)
	}
}

// Every way to change a trail shows.
func TestAuditShowsTampering(t *testing.T) {
	for name, tamper := range map[string]func(*testing.T, *Queue, string, []redis.XMessage){
		"an entry is left out": func(t *testing.T, q *Queue, trail string, all []redis.XMessage) {
			q.rdb.XDel(t.Context(), trail, all[1].ID)
		},
		"the end is cut off": func(t *testing.T, q *Queue, trail string, all []redis.XMessage) {
			q.rdb.XDel(t.Context(), trail, all[len(all)-1].ID)
		},
		"all is deleted": func(t *testing.T, q *Queue, trail string, _ []redis.XMessage) { q.rdb.Del(t.Context(), trail) },
		"an entry says something else": func(t *testing.T, q *Queue, trail string, all []redis.XMessage) {
			all[1].Values["action"] = "job_failed"
			rewrite(t, q, trail, all)
		},
		"another's entry has its place and a hash of its own": func(t *testing.T, q *Queue, trail string, all []redis.XMessage) {
			v := all[1].Values
			e := Event{Timestamp: time.Now(), Actor: "worker", Action: "job_failed", Tenant: text(v["tenantId"]), JobID: text(v["jobId"]),
				Link: Link{Seq: text(v["seq"]), Prev: text(v["prev"]), Stamp: text(v["timestamp"])}}
			v["action"], v["hash"] = e.Action, e.chain(text(v["metadata"]))
			rewrite(t, q, trail, all)
		},
	} {
		t.Run(name, func(t *testing.T) {
			q, tenant := newQueue(t, Options{}), unique("tenant")
			enqueue(t, q, tenant)
			if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
				t.Fatal(err)
			}
			trail := q.keys.auditTrail(tenant)
			all := q.rdb.XRange(t.Context(), trail, "-", "+").Val()
			rewrite(t, q, trail, all)
			if _, err := q.Verify(t.Context(), tenant, Anchor{}); err != nil {
				t.Fatalf("the same entries in new places: %v", err)
			}
			tamper(t, q, trail, q.rdb.XRange(t.Context(), trail, "-", "+").Val())
			if c, err := q.Verify(t.Context(), tenant, Anchor{}); !errors.Is(err, ErrBroken) {
				t.Errorf("verify: %+v, %v, want ErrBroken", c, err)
			}
		})
	}
}

// rewrite makes the trail anew with those entries.
func rewrite(t *testing.T, q *Queue, trail string, all []redis.XMessage) {
	t.Helper()
	q.rdb.Del(t.Context(), trail)
	for _, m := range all {
		if err := q.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: trail, Values: m.Values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEventsPages(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	for range 5 {
		enqueue(t, q, tenant)
	}
	var seen []string
	for before := ""; ; {
		events, err := q.Events(t.Context(), tenant, before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			seen = append(seen, e.StreamID)
		}
		before = events[len(events)-1].StreamID
	}
	if len(seen) != 5 || len(slices.Compact(slices.Clone(seen))) != 5 {
		t.Errorf("pages of two gave %v, want five events, each once", seen)
	}
}

// Who writes the whole trail anew is found by what was noted elsewhere.
func TestAuditAnchor(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	for range 3 {
		enqueue(t, q, tenant)
	}
	c, err := q.Verify(t.Context(), tenant, Anchor{})
	if err != nil {
		t.Fatal(err)
	}
	anchor := Anchor{c.Last, c.Hash}
	enqueue(t, q, tenant)
	if _, err := q.Verify(t.Context(), tenant, anchor); err != nil {
		t.Errorf("one more event: %v", err)
	}
	q.rdb.Del(t.Context(), q.keys.auditTrail(tenant), q.keys.auditHead(tenant))
	for range 2 {
		if _, err := q.Verify(t.Context(), tenant, anchor); !errors.Is(err, ErrBroken) {
			t.Errorf("written anew: %v, want ErrBroken", err)
		}
		for range 3 {
			enqueue(t, q, tenant)
		}
	}
}
