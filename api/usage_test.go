// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

func TestQuotas(t *testing.T) {
	s := newStack(t, func(o *Options) { o.RateLimit, o.SubmitLimit, o.RateWindow = 100, 50, time.Hour })
	var ids []string // of finished jobs
	want := func(active, daily int, cost string) string {
		stored := 0
		for _, id := range ids { // as openapi.yaml says it
			f, err := s.queue.Stored(t.Context(), queue.Unarchived{ID: id, Tenant: s.tenant + "-tight"})
			if err != nil {
				t.Fatal(err)
			}
			stored += 4096 + len(f["sourceCode"]) + len(f["spec"]) + len(f["result"]) + len(f["summary"])
		}
		return fmt.Sprintf(`{"tenantId":%q,"traceId":"test-trace","authType":"api_key",
			"limits":{"maxConcurrentJobs":2,"maxDailyJobs":3,"maxStoredBytes":268435456,"rateLimitRequests":100,"rateLimitWindowSeconds":3600,"submitRateLimitRequests":50},
			"usage":{"activeJobs":%d,"dailyJobs":%d,"storedBytes":%d,"dailyDate":%q,"estimatedCostUsd":%s}}`,
			s.tenant+"-tight", active, daily, stored, time.Now().UTC().Format(time.DateOnly), cost)
	}
	tight := http.Header{"X-Api-Key": {"tight-key"}}
	s.do("GET", "/v1/quotas", "", tight).want(t, 200, want(0, 0, "0"))
	if a := s.do("POST", "/v1/jobs", helloPython, tight); a.status != 202 {
		t.Fatalf("%d %s, want 202", a.status, a.raw)
	}
	l := claim(t, s.queue)
	if err := complete(l, exited(0, "")); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, l.Job.ID)
	s.do("GET", "/v1/quotas", "", tight).want(t, 200, want(0, 1, "0.00000027"))
}

func TestCosts(t *testing.T) {
	s := newStack(t, nil)
	for range 3 {
		s.submit(helloPython)
		if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		query string
		days  int
	}{{"", 7}, {"?days=1", 1}, {"?days=30", 30}} {
		a := s.get("/v1/costs" + tt.query)
		daily, _ := a.at("daily").([]any)
		if a.status != 200 || a.at("windowDays") != float64(tt.days) || a.at("currency") != "USD" ||
			a.at("totalEstimatedCostUsd") != 8.1e-07 || len(daily) != tt.days {
			t.Fatalf("%q: %d %s, want %d days and 8.1e-07 USD", tt.query, a.status, a.raw, tt.days)
		}
		for i, d := range daily {
			date, cost := time.Now().UTC().AddDate(0, 0, -i).Format(time.DateOnly), 0.0
			if i == 0 {
				cost = 8.1e-07
			}
			if d := d.(map[string]any); d["date"] != date || d["estimatedCostUsd"] != cost {
				t.Errorf("day %d is %v, want %s and %v", i, d, date, cost)
			}
		}
	}
	for query, message := range map[string]string{
		"0": "Number must be greater than or equal to 1", "31": "Number must be less than or equal to 30",
		"1.5": "Expected integer, received float", "x": "Expected number, received nan",
	} {
		s.get("/v1/costs?days="+query).want(t, 400, fmt.Sprintf(
			`{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":[],"fieldErrors":{"days":[%q]}}}`, message))
	}
	// What one tenant spends is not another's business.
	if a := s.do("GET", "/v1/costs", "", http.Header{"X-Api-Key": {"tight-key"}}); a.at("totalEstimatedCostUsd") != 0.0 {
		t.Errorf("another tenant: %s, want 0 USD", a.raw)
	}
}
