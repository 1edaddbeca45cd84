// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestAuthentication(t *testing.T) {
	s := newStack(t, nil)
	refused := func(reason string) string {
		return `{"error":"unauthorized","reason":"` + reason + `","traceId":"test-trace"}`
	}
	targets := []struct{ method, target, body string }{
		{"POST", "/v1/jobs", helloPython}, {"GET", "/v1/jobs", ""}, {"GET", "/v1/jobs/x", ""}, {"DELETE", "/v1/jobs/x", ""},
		{"POST", "/executions", helloPython}, {"GET", "/executions", ""}, {"GET", "/executions/x", ""},
		{"DELETE", "/executions/x", ""}, {"GET", "/executions/x/logs", ""},
		{"DELETE", "/v1/jobs/x/data", ""}, {"POST", "/v1/jobs/x/rerun", ""}, {"GET", "/v1/jobs/x/events", ""},
		{"POST", "/v1/jobs/x/analyze", ""}, {"POST", "/executions/x/analyze", ""},
		{"GET", "/v1/jobs/x/deliveries", ""}, {"POST", "/v1/jobs/x/deliveries", ""}, {"POST", "/v1/batch", `{"jobs":[]}`},
		{"GET", "/v1/quotas", ""}, {"GET", "/v1/costs", ""}, {"GET", "/v1/audit", ""},
	}
	for _, tt := range targets {
		for reason, key := range map[string][]string{"missing_api_key": nil, "invalid_api_key": {"wrong"}} {
			t.Run(tt.method+" "+tt.target+" "+reason, func(t *testing.T) {
				a := s.do(tt.method, tt.target, tt.body, http.Header{"X-Api-Key": key})
				a.want(t, 401, refused(reason))
				if a.header.Get("x-ratelimit-limit") != "" {
					t.Error("a 401 carries rate headers")
				}
			})
		}
	}
	// Held against the route table, so that a new route can't be forgotten here.
	n := 0
	for _, rt := range s.server.routes() {
		if rt.access == tenants || rt.access == countsItself {
			n++
		}
	}
	if n != len(targets) {
		t.Errorf("%d routes are for tenants, %d were tried", n, len(targets))
	}
}

func TestRequestLimit(t *testing.T) {
	s := newStack(t, func(o *Options) { o.RateLimit, o.RateWindow = 2, time.Hour })
	for i, tt := range []struct {
		target    string
		status    int
		remaining string
	}{{"/v1/jobs", 200, "1"}, {"/v1/jobs/unknown-id", 404, "0"}, {"/v1/jobs", 429, "0"}} {
		a := s.get(tt.target)
		if a.status != tt.status || a.header.Get("x-ratelimit-limit") != "2" || a.header.Get("x-ratelimit-remaining") != tt.remaining {
			t.Errorf("request %d: status %d, limit %q, remaining %q; want %d, 2, %s", i+1, a.status,
				a.header.Get("x-ratelimit-limit"), a.header.Get("x-ratelimit-remaining"), tt.status, tt.remaining)
		}
		// All of the limit is free again when the latest request has left the window.
		reset, _ := strconv.ParseInt(a.header.Get("x-ratelimit-reset"), 10, 64)
		if left := reset - time.Now().Unix(); left < 3500 || left > 3601 {
			t.Errorf("request %d: x-ratelimit-reset in %d s, want it in an hour", i+1, left)
		}
		if tt.status == 429 {
			retry := a.wait(t, time.Hour)
			a.want(t, 429, fmt.Sprintf(`{"error":"rate_limited","traceId":"test-trace","limit":2,"used":3,"retryAfterSeconds":%d,"windowSeconds":3600}`, retry))
		}
	}
	// Another tenant has a window of its own, and who is not known has none.
	if a := s.do("GET", "/v1/jobs", "", http.Header{"X-Api-Key": {"tight-key"}}); a.status != 200 {
		t.Errorf("another tenant: %d, want 200", a.status)
	}
	if a := s.do("GET", "/v1/jobs", "", http.Header{"X-Api-Key": {"wrong"}}); a.status != 401 {
		t.Errorf("a wrong key: %d, want 401", a.status)
	}
}

func TestSubmitLimit(t *testing.T) {
	s := newStack(t, func(o *Options) { o.SubmitLimit, o.RateWindow = 1, time.Hour })
	if a := s.post("/v1/jobs", `{}`); a.status != 400 {
		t.Errorf("an invalid one: %d, want 400", a.status)
	}
	s.submit(helloPython) // the invalid one was not counted
	a := s.post("/executions", helloPython)
	retry := a.wait(t, time.Hour)
	a.want(t, 429, fmt.Sprintf(`{"error":"submit_rate_limited","traceId":"test-trace","limit":1,"used":2,"retryAfterSeconds":%d,"windowSeconds":3600}`, retry))
	if got := a.header.Get("x-ratelimit-limit"); got != "100000" {
		t.Errorf("x-ratelimit-limit %q, want that of requests, 100000", got)
	}
	if a := s.get("/v1/jobs"); a.status != 200 {
		t.Errorf("reading: %d, want 200", a.status)
	}
}

func TestQuota(t *testing.T) {
	s := newStack(t, nil)
	tight := http.Header{"X-Api-Key": {"tight-key"}}
	quota := func(reason string, active, daily int) string {
		return fmt.Sprintf(`{"error":"quota_exceeded","traceId":"test-trace","reason":%q,
			"limits":{"maxConcurrentJobs":2,"maxDailyJobs":3},"usage":{"activeJobs":%d,"dailyJobs":%d}}`, reason, active, daily)
	}
	post := func() answer { return s.do("POST", "/v1/jobs", helloPython, tight) }
	for range 2 {
		if a := post(); a.status != 202 {
			t.Fatalf("%d %s, want 202", a.status, a.raw)
		}
	}
	full := post()
	full.want(t, 429, quota("max_concurrent_jobs", 2, 2))
	if wait, err := strconv.Atoi(full.header.Get("Retry-After")); err != nil || wait < 1 || wait > 5 {
		t.Errorf("retry-after %q, want a few seconds", full.header.Get("Retry-After"))
	}
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	if a := post(); a.status != 202 {
		t.Fatalf("after one has finished: %d %s, want 202", a.status, a.raw)
	}
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	full = post()
	full.want(t, 429, quota("max_daily_jobs", 1, 3))
	now := time.Now().UTC()
	left := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC).Sub(now).Seconds()
	if wait, err := strconv.ParseFloat(full.header.Get("Retry-After"), 64); err != nil || wait < left || wait > left+2 {
		t.Errorf("retry-after %q, want the %.1f s that are left of the UTC day", full.header.Get("Retry-After"), left)
	}
}

func TestUntilTomorrow(t *testing.T) {
	for at, want := range map[string]int64{
		"2026-03-08T00:00:00Z": 86_400, "2026-03-08T23:59:59Z": 1, "2026-03-08T23:59:59.999Z": 1, "2026-03-08T12:00:00.5Z": 43_200,
		"2026-03-08T23:00:00-05:00": 72_000, "2026-12-31T18:00:00Z": 21_600,
	} {
		now, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := untilTomorrow(now); got != want {
			t.Errorf("at %s: %d s to the next UTC day, want %d", at, got, want)
		}
	}
}
