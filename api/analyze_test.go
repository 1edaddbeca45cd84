// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/api/analysis"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

func TestAnalyze(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	a := s.post("/v1/jobs/"+id+"/analyze", "")
	if a.status != 200 || a.at("status") != "queued" || a.at("provider") != "heuristic" || a.at("analysis", "summary") != "Execution in progress" ||
		a.at("jobId") != id || a.at("executionId") != id {
		t.Errorf("%d %s", a.status, a.raw)
	}
	r := exited(0, "")
	r.Status, r.Verdict = job.Failed, job.WallTime
	r.Steps[0].Verdict, r.Steps[0].Limits.WallMs = job.WallTime, 1234
	if err := complete(claim(t, s.queue), r); err != nil {
		t.Fatal(err)
	}
	ended := s.get("/v1/jobs/" + id).at("updatedAt").(string)
	a = s.post("/executions/"+id+"/analyze", `{}`)
	if a.at("status") != "timed_out" || a.at("analysis", "summary") != "Execution timed out" || !strings.Contains(a.raw, "1234 ms") {
		t.Errorf("%s", a.raw)
	}
	j := s.get("/v1/jobs/" + id)
	said, _ := json.Marshal(j.at("analysis"))
	again, _ := json.Marshal(a.at("analysis"))
	if string(said) != string(again) || j.at("analysisProvider") != "heuristic" || j.at("analysisFallbackReason") != "ai_provider_disabled" || j.at("analysisUpdatedAt") == nil {
		t.Errorf("the job: %s", j.raw)
	}
	if at := j.at("updatedAt"); at != j.at("analysisUpdatedAt") || at.(string) < ended {
		t.Errorf("updatedAt is %v after an analysis of %v, and was %v", at, j.at("analysisUpdatedAt"), ended)
	}
	events := s.get("/v1/audit?limit=1").at("events").([]any)[0].(map[string]any)
	if events["action"] != "job_analyzed" || events["metadata"].(map[string]any)["summary"] != "Execution timed out" {
		t.Errorf("audit %v", events)
	}
	// A fault of ours is told, and not taken for the program's.
	dead := s.submit(helloPython)
	if err := claim(t, s.queue).Fail(t.Context(), queue.Fault{Message: "internal error", Cause: "mount /proc"}); err != nil {
		t.Fatal(err)
	}
	a = s.post("/v1/jobs/"+dead+"/analyze", "")
	if a.at("analysis", "summary") != "Execution metadata missing" || a.at("analysis", "confidence") != "low" || !strings.Contains(a.raw, "internal error") {
		t.Errorf("a job without a result: %s", a.raw)
	}
	s.post("/v1/jobs/unknown/analyze", "").want(t, 404, `{"error":"not_found","traceId":"test-trace"}`)
	if a := s.do("POST", "/v1/jobs/"+id+"/analyze", "", http.Header{"X-Api-Key": {"tight-key"}}); a.status != 404 {
		t.Errorf("another tenant's: %d", a.status)
	}
	if a := s.do("POST", "/v1/jobs/"+id+"/analyze", "", http.Header{"Content-Type": {"application/json"}}); a.status != 400 || a.at("code") != "FST_ERR_CTP_EMPTY_JSON_BODY" {
		t.Errorf("an empty JSON body: %d %s", a.status, a.raw)
	}
}

func TestAnalyzeWithModel(t *testing.T) {
	var calls atomic.Int64
	var fail atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		if fail.Load() {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices":[{"message":{"content":"{\"summary\":\"said\",\"explanation\":\"e\",\"suggestions\":[\"s\"],\"confidence\":\"low\"}"}}]}`)
	}))
	defer srv.Close()
	model, err := analysis.NewOpenAI(analysis.OpenAIOptions{APIKey: "sk-0123456789abcdefghij", Model: "m", BaseURL: srv.URL, Timeout: 5 * time.Second,
		MaxSource: 8000, Redaction: analysis.RedactSecrets})
	if err != nil {
		t.Fatal(err)
	}
	s := newStack(t, func(o *Options) { o.Model, o.ModelName, o.ModelBudget = model, "m", 2 })
	say := func(id, provider, reason string, total int64) {
		t.Helper()
		a, j := s.post("/v1/jobs/"+id+"/analyze", ""), s.get("/v1/jobs/"+id)
		got, _ := j.at("analysisFallbackReason").(string)
		if a.status != 200 || a.at("provider") != provider || got != reason || calls.Load() != total {
			t.Errorf("%d %s, reason %q, %d calls; want %s, %q, %d", a.status, a.raw, got, calls.Load(), provider, reason, total)
		}
	}
	one, two, three := s.submit(helloPython), s.submit(`{"language":"python","sourceCode":"2"}`), s.submit(`{"language":"python","sourceCode":"3"}`)
	say(one, "openai", "", 1)
	say(one, "openai", "", 1) // from the cache
	fail.Store(true)
	say(two, "heuristic", "openai_http_401", 2)
	say(three, "heuristic", "budget_exhausted", 2)
	say(one, "openai", "", 2)
	// The cache and the budget are the tenant's own.
	fail.Store(false)
	a := s.do("POST", "/v1/jobs", helloPython, http.Header{"X-Api-Key": {"tight-key"}})
	s.do("POST", "/v1/jobs/"+a.at("jobId").(string)+"/analyze", "", http.Header{"X-Api-Key": {"tight-key"}})
	if calls.Load() != 3 {
		t.Errorf("another tenant's job made %d calls, want 3 in all", calls.Load())
	}
	if !s.server.modelCalls.TryAcquire(maxModelCalls) {
		t.Fatal("a call was not given back")
	}
	four := s.do("POST", "/v1/jobs", `{"language":"python","sourceCode":"4"}`, http.Header{"X-Api-Key": {"tight-key"}}).at("jobId").(string)
	s.do("POST", "/v1/jobs/"+four+"/analyze", "", http.Header{"X-Api-Key": {"tight-key"}})
	j := s.do("GET", "/v1/jobs/"+four, "", http.Header{"X-Api-Key": {"tight-key"}})
	if j.at("analysisFallbackReason") != "openai_busy" {
		t.Errorf("with all calls on their way: %s", j.raw)
	}
}
