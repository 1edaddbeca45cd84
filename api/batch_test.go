// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"github.com/google/go-cmp/cmp"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBatch(t *testing.T) {
	s := newStack(t, nil)
	tight := http.Header{"X-Api-Key": {"tight-key"}, "Idempotency-Key": {"nightly"}}
	body := `{"jobs":[` + strings.Join([]string{helloPython, helloPython, helloPython}, ",") + `]}`
	a := s.do("POST", "/v1/batch", body, tight)
	items, _ := a.at("items").([]any)
	if a.status != 200 || a.at("accepted") != 2.0 || a.at("refused") != 1.0 || len(items) != 3 {
		t.Fatalf("%d %s, want two of three admitted: two may be unfinished", a.status, a.raw)
	}
	if last := fmt.Sprint(items[2]); last != "map[error:quota_exceeded reason:max_concurrent_jobs statusCode:429]" {
		t.Errorf("the third: %s", last)
	}
	// The same again: the two are given back, and when one is finished the third is admitted.
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	again := s.do("POST", "/v1/batch", body, tight)
	second, _ := again.at("items").([]any)
	if again.at("accepted") != 3.0 || len(second) != 3 {
		t.Fatalf("again: %d %s, want all three", again.status, again.raw)
	}
	for i := range 2 {
		if second[i].(map[string]any)["jobId"] != items[i].(map[string]any)["jobId"] {
			t.Errorf("job %d was run twice", i)
		}
	}
}

// A batch is one request of its tenant, and so is a rerun, however many jobs they bring; each job is one submission.
func TestBatchIsOneRequest(t *testing.T) {
	s := newStack(t, func(o *Options) { o.RateLimit, o.SubmitLimit, o.RateWindow = 3, 4, time.Hour })
	a := s.post("/v1/batch", `{"jobs":[`+helloPython+`,`+helloPython+`,`+helloPython+`]}`)
	if a.at("accepted") != 3.0 || a.header.Get("X-Ratelimit-Remaining") != "2" {
		t.Fatalf("%v %s, want three jobs by one request", a.header, a.raw)
	}
	id := a.at("items").([]any)[0].(map[string]any)["jobId"].(string)
	if a := s.post("/v1/jobs/"+id+"/rerun", ""); a.status != 202 || a.header.Get("X-Ratelimit-Remaining") != "1" {
		t.Errorf("%d %v %s", a.status, a.header, a.raw)
	}
	if a := s.post("/v1/jobs/"+id+"/rerun", ""); a.status != 429 || a.at("error") != "submit_rate_limited" || a.header.Get("X-Ratelimit-Remaining") != "0" {
		t.Errorf("%d %v %s, want the fifth submission refused, and not the third request", a.status, a.header, a.raw)
	}
}

// The key of a batch stands for all of it: whatever is changed in one job, it is another batch.
func TestBatchKeyStandsForAll(t *testing.T) {
	s := newStack(t, nil)
	key := http.Header{"Idempotency-Key": {"nightly"}}
	job := func(more string) string { return `{"language":"python","sourceCode":"print(1)"` + more + `}` }
	if a := s.do("POST", "/v1/batch", `{"jobs":[`+job("")+`,`+job(`,"stdin":"b"`)+`]}`, key); a.at("accepted") != 2.0 {
		t.Fatal(a.raw)
	}
	for name, jobs := range map[string]string{
		"language": `{"language":"javascript","sourceCode":"print(1)"},` + job(`,"stdin":"b"`), "stdin": job(`,"stdin":"a"`) + "," + job(`,"stdin":"b"`),
		"limits": job(`,"timeoutMs":5000`) + "," + job(`,"stdin":"b"`), "tests": job(`,"tests":[{}]`) + "," + job(`,"stdin":"b"`),
		"order": job(`,"stdin":"b"`) + "," + job(""), "priority": job(`,"priority":"low"`) + "," + job(`,"stdin":"b"`),
	} {
		a := s.do("POST", "/v1/batch", `{"jobs":[`+jobs+`]}`, key)
		items, _ := a.at("items").([]any)
		if a.status != 200 || len(items) != 2 || a.at("refused") != 2.0 || fmt.Sprint(items[0]) != "map[error:idempotency_key_reused reason:body_differs statusCode:422]" {
			t.Errorf("another %s: %d %s", name, a.status, a.raw)
		}
	}
}

func TestBatchRefusesAsAWhole(t *testing.T) {
	s := newStack(t, func(o *Options) { o.MaxStdinBytes = 5 })
	for body, want := range map[string]string{
		`{}`:           `"Array must contain at least 1 element(s)"`,
		`{"jobs":[]}`:  `"Array must contain at least 1 element(s)"`,
		`{"jobs":3}`:   `"Expected array, received number"`,
		`{"jobs":[3]}`: `"[0]: Expected object, received number"`,
		`{"jobs":[` + helloPython + `,{"language":"python"}]}`:                  `"[1].sourceCode: Required"`,
		`{"jobs":[{"language":"python","sourceCode":"x","stdin":"123456"}]}`:    `"[0].stdin: has 6 bytes, 5 are allowed"`,
		`{"jobs":[` + strings.Repeat(helloPython+",", 100) + helloPython + `]}`: `"Array must contain at most 100 element(s)"`,
	} {
		s.post("/v1/batch", body).want(t, 400, `{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":[],"fieldErrors":{"jobs":[`+want+`]}}}`)
	}
	s.post("/v1/batch", `{"jobs":[`+helloPython+`],"job":1}`).want(t, 400, `{"error":"validation_error","traceId":"test-trace",
		"issues":{"formErrors":["Unrecognized key(s) in object: 'job'"],"fieldErrors":{}}}`)
	if a := s.get("/v1/quotas"); a.raw == "" || strings.Contains(a.raw, `"dailyJobs":1`) {
		t.Errorf("something was admitted: %s", a.raw)
	}
}

// A rerun has all that the job was submitted with.
func TestRerunIsTheSame(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(`{"language":"python","sourceCode":"x","priority":"high","args":["a"],"env":{"A":"1"},"files":[{"name":"f","content":"c"}],"timeoutMs":1234,
		"tests":[{"name":"one"},{"name":"two"}],"webhook":{"url":"https://example.com/","secret":"0123456789abcdef"}}`)
	first := claim(t, s.queue)
	a := s.post("/v1/jobs/"+id+"/rerun", "")
	again := claim(t, s.queue)
	if again.Job.ID != a.at("jobId") || again.Job.ID == id {
		t.Fatalf("claimed %s, want %v", again.Job.ID, a.at("jobId"))
	}
	again.Job.ID = first.Job.ID
	if diff := cmp.Diff(first.Job, again.Job); diff != "" {
		t.Errorf("spec (-first +again):\n%s", diff)
	}
	for _, path := range []string{id, a.at("jobId").(string)} {
		if d := s.get("/v1/jobs/" + path + "/deliveries"); d.status != 200 || d.at("url") != "https://example.com/" {
			t.Errorf("webhook of %s: %d %s", path, d.status, d.raw)
		}
	}
	if was, is := fmt.Sprint(s.get("/v1/jobs/"+id).at("request")), fmt.Sprint(s.get("/v1/jobs/"+a.at("jobId").(string)).at("request")); was != is {
		t.Errorf("limits %s, want %s", is, was)
	}
}

func TestRerun(t *testing.T) {
	s := newStack(t, nil)
	first := s.submit(`{"language":"python","sourceCode":"print(input())","stdin":"x","priority":"high","timeoutMs":777,"network":"none"}`)
	if err := complete(claim(t, s.queue), exited(0, "x\n")); err != nil {
		t.Fatal(err)
	}
	a := s.post("/v1/jobs/"+first+"/rerun", "")
	if a.status != 202 || a.at("jobId") == first {
		t.Fatalf("%d %s, want a new job", a.status, a.raw)
	}
	l := claim(t, s.queue)
	if l.Job.ID != a.at("jobId") || l.Job.Source != "print(input())" || string(l.Job.Stdin) != "x" || l.Request.TimeoutMs != 777 || l.Job.Network != "none" {
		t.Errorf("the new job is %+v, want what the first was", l.Job)
	}
	s.post("/v1/jobs/unknown/rerun", "").want(t, 404, `{"error":"not_found","traceId":"test-trace"}`)
	if a := s.do("POST", "/v1/jobs/"+first+"/rerun", "", http.Header{"X-Api-Key": {"tight-key"}}); a.status != 404 {
		t.Errorf("another tenant's: %d, want 404", a.status)
	}
}

func TestDeleteData(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	del := func() answer { return s.do("DELETE", "/v1/jobs/"+id+"/data", "", nil) }
	del().want(t, 409, `{"error":"job_unfinished","reason":"cancel_it_first","traceId":"test-trace"}`)
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	if a := s.do("DELETE", "/v1/jobs/"+id+"/data", "", http.Header{"X-Api-Key": {"tight-key"}}); a.status != 404 {
		t.Errorf("another tenant: %d, want 404", a.status)
	}
	del().want(t, 200, `{"jobId":"`+id+`","traceId":"test-trace","deleted":true}`)
	del().want(t, 404, `{"error":"not_found","traceId":"test-trace"}`)
	if a := s.get("/v1/jobs/" + id); a.status != 404 {
		t.Errorf("GET: %d, want 404", a.status)
	}
}

func TestHistoryQuery(t *testing.T) {
	s := newStack(t, nil)
	done := s.submit(helloPython)
	if err := complete(claim(t, s.queue), exited(3, "printed\n")); err != nil {
		t.Fatal(err)
	}
	waits := s.submit(`{"language":"javascript","sourceCode":"1"}`)
	ids := func(a answer) string {
		var out strings.Builder
		for _, item := range a.at("items").([]any) {
			out.WriteString(map[any]string{done: "done ", waits: "waits "}[item.(map[string]any)["jobId"]])
		}
		return strings.TrimSpace(out.String())
	}
	for query, want := range map[string]string{
		"status=failed": "done", "status=queued": "waits", "status=succeeded": "", "language=python": "done", "language=javascript": "waits",
		"status=queued&language=python": "", "from=2030-01-01T00:00:00Z": "", "to=2030-01-01T00:00:00Z&language=python": "done",
		"view=summary&status=failed": "done",
	} {
		if got := ids(s.get("/v1/jobs?" + query)); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if raw := s.get("/v1/jobs?view=summary").raw; strings.Contains(raw, "printed") || !strings.Contains(raw, `"exitCode":3`) {
		t.Errorf("summaries: %s, want the exit code and no output", raw)
	}
	a := s.get("/v1/jobs?limit=1")
	next, _ := a.at("nextCursor").(string)
	b := s.get("/v1/jobs?limit=1&cursor=" + next)
	if ids(a)+ids(b) != "waitsdone" && ids(a)+ids(b) != "donewaits" || b.at("nextCursor") != nil {
		t.Errorf("two pages of one: %s, %s", a.raw, b.raw)
	}
	for _, query := range []string{"cursor=x", "status=x", "from=x", "to=1", "view=x", "from=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00Z"} {
		if a := s.get("/v1/jobs?" + query); a.status != 400 {
			t.Errorf("%s: %d %s, want 400", query, a.status, a.raw)
		}
	}
}
