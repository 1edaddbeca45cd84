// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

func TestAuditFeed(t *testing.T) {
	s := newStack(t, func(o *Options) { o.MaxSourceBytes = 20 })
	s.submit(helloPython)
	if err := complete(claim(t, s.queue), exited(0, "hello\n")); err != nil {
		t.Fatal(err)
	}
	if a := s.post("/v1/jobs", `{"language":"python","sourceCode":"print('far too long for this')"}`); a.status != 413 {
		t.Fatalf("%d, want 413", a.status)
	}
	a := s.get("/v1/audit")
	var got []string
	for _, e := range a.at("events").([]any) {
		e := e.(map[string]any)
		got = append(got, e["actor"].(string)+" "+e["action"].(string))
		if e["tenantId"] != s.tenant || (e["jobId"] == nil) != (e["action"] == "submission_rejected_size") {
			t.Errorf("event %v", e)
		}
	}
	want := []string{"api submission_rejected_size", "worker job_succeeded", "worker job_running", "api job_submitted"}
	if !slices.Equal(got, want) || a.at("nextCursor") != nil {
		t.Errorf("%s\nwant %v", a.raw, want)
	}
	meta := a.at("events").([]any)[0].(map[string]any)["metadata"].(map[string]any)
	if meta["field"] != "sourceCode" || meta["bytes"] != 30.0 || meta["maxBytes"] != 20.0 || meta["traceId"] != "test-trace" {
		t.Errorf("metadata %v", meta)
	}

	// Page by page it says the same.
	var paged []string
	for cursor := ""; ; {
		a := s.get("/v1/audit?limit=1" + cursor)
		for _, e := range a.at("events").([]any) {
			e := e.(map[string]any)
			paged = append(paged, e["actor"].(string)+" "+e["action"].(string))
		}
		next, more := a.at("nextCursor").(string)
		if !more {
			break
		}
		cursor = "&cursor=" + next
	}
	if !slices.Equal(paged, want) {
		t.Errorf("pages: %v, want %v", paged, want)
	}
	if a := s.do("GET", "/v1/audit", "", http.Header{"X-Api-Key": {"tight-key"}}); len(a.at("events").([]any)) != 0 {
		t.Errorf("another tenant: %s, want no events", a.raw)
	}
}

func TestAuditRefusesBadQueries(t *testing.T) {
	s := newStack(t, nil)
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "cursor=", "cursor=x", "cursor=1", "cursor=-", "cursor=%2B", "cursor=1-1-1"} {
		if a := s.get("/v1/audit?" + query); a.status != 400 {
			t.Errorf("%s: %d %s, want 400", query, a.status, a.raw)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	s := newStack(t, func(o *Options) { o.SubmitLimit, o.RateWindow = 2, time.Hour })
	post := func(key, body string) answer {
		return s.do("POST", "/v1/jobs", body, http.Header{"Idempotency-Key": {key}})
	}
	first := post("order-1", helloPython)
	if first.status != 202 || first.header.Get("Idempotent-Replayed") != "" {
		t.Fatalf("%d %s", first.status, first.raw)
	}
	for range 3 { // repetitions are no submissions
		if a := post("order-1", helloPython); a.status != 202 || a.at("jobId") != first.at("jobId") || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("again: %d %s, want job %v", a.status, a.raw, first.at("jobId"))
		}
	}
	post("order-1", strings.Replace(helloPython, "python", "javascript", 1)).want(t, 422, `{"error":"idempotency_key_reused",
		"reason":"body_differs","traceId":"test-trace"}`)
	if a := post("order-2", helloPython); a.status != 202 || a.at("jobId") == first.at("jobId") {
		t.Errorf("another key: %d %s, want another job", a.status, a.raw)
	}
	for key, message := range map[string]string{" ": "String must contain at least 1 character(s)",
		strings.Repeat("k", 256): "String must contain at most 255 character(s)"} {
		post(key, helloPython).want(t, 400, fmt.Sprintf(`{"error":"validation_error","traceId":"test-trace",
			"issues":{"formErrors":[],"fieldErrors":{"Idempotency-Key":[%q]}}}`, message))
	}
}

// What the api notes by itself has the members that dashboards know.
func TestAuditActions(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	s.post("/v1/jobs/"+id+"/analyze", "{}")
	s.do("GET", "/v1/admin/metrics", "", http.Header{"X-Api-Key": nil})
	s.do("GET", "/v1/admin/metrics", "", http.Header{"X-Api-Key": {"tight-key"}})
	for _, tt := range []struct{ tenant, action, metadata string }{
		{s.tenant, "job_analyzed", `{"confidence":"high","fallbackReason":"ai_provider_disabled","provider":"heuristic","summary":"Execution succeeded","traceId":"test-trace"}`},
		{"unknown", "admin_auth_denied", `{"path":"/v1/admin/metrics","traceId":"test-trace"}`},
		{"unknown", "admin_auth_missing", `{"path":"/v1/admin/metrics","traceId":"test-trace"}`},
	} {
		events, err := s.queue.Events(t.Context(), tt.tenant, "", 20)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(events, func(e queue.Event) bool { return e.Action == tt.action })
		if i < 0 || events[i].Actor != "api" || string(events[i].Metadata) != tt.metadata {
			t.Errorf("%s: %+v, want %s", tt.action, events, tt.metadata)
		}
	}
}
