// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

var isoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// jobOf is the contract's job object as the tests want it: want overrides members of a job that waits.
func jobOf(t *testing.T, a answer, tenant string, want map[string]any) string {
	t.Helper()
	id, _ := a.at("jobId").(string)
	m := map[string]any{
		"jobId": id, "executionId": id, "tenantId": tenant, "traceId": "test-trace", "language": "python", "status": "queued",
		"createdAt": a.at("createdAt"), "updatedAt": a.at("updatedAt"), "startedAt": nil, "completedAt": nil,
		"request":  map[string]any{"timeoutMs": 3000, "memoryMb": 128, "cpuMillicores": 256},
		"attempts": map[string]any{"max": 3, "made": 0, "current": 1}, "result": nil,
		"billing":     map[string]any{"estimatedCostUsd": 0, "billableDurationMs": 0, "costModelVersion": nil},
		"computeTier": nil, "purchaseOption": nil, "failureCategory": nil, "analysis": nil, "analysisProvider": nil,
		"analysisUpdatedAt": nil, "analysisFallbackReason": nil, "error": nil, "runtimeMs": nil, "exitCode": nil,
		"timestamp": a.at("createdAt"), "executionEnvironment": "local-runner", "priority": "normal", "cancelRequestedAt": nil,
	}
	maps.Copy(m, want)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestJobThroughItsLife(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	for _, target := range []string{"/v1/jobs/", "/executions/"} {
		a := s.get(target + id)
		a.want(t, 200, jobOf(t, a, s.tenant, nil))
		if created, _ := a.at("createdAt").(string); !isoTime.MatchString(created) {
			t.Errorf("createdAt %q is not ISO 8601 with milliseconds", created)
		}
	}

	lease := claim(t, s.queue)
	a := s.get("/v1/jobs/" + id)
	started := a.at("startedAt")
	a.want(t, 200, jobOf(t, a, s.tenant, map[string]any{"status": "running", "startedAt": started, "timestamp": started,
		"attempts": map[string]any{"max": 3, "made": 1, "current": 1}}))

	if err := complete(lease, exited(3, "hello\n")); err != nil {
		t.Fatal(err)
	}
	a = s.get("/v1/jobs/" + id)
	completed := a.at("completedAt")
	a.want(t, 200, jobOf(t, a, s.tenant, map[string]any{
		"status": "failed", "startedAt": started, "completedAt": completed, "timestamp": completed,
		"attempts": map[string]any{"max": 3, "made": 1, "current": nil}, "result": a.at("result"), "failureCategory": "none",
		"billing":   map[string]any{"estimatedCostUsd": 2.7e-7, "billableDurationMs": 90, "costModelVersion": "fargate-v1"},
		"runtimeMs": 42, "exitCode": 3,
	}))
	for _, at := range []any{started, completed} {
		if text, _ := at.(string); !isoTime.MatchString(text) {
			t.Errorf("time %q is not ISO 8601 with milliseconds", text)
		}
	}
	s.get("/executions/"+id+"/logs").want(t, 200, fmt.Sprintf(`{"executionId":%q,"traceId":"test-trace","status":"failed",
		"logs":{"stdout":"hello\n","stderr":""},"timedOut":false,"durationMs":42,"updatedAt":%q}`, id, a.at("updatedAt")))
}

func TestLogsWithTails(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(`{"language":"python","sourceCode":"x"}`)
	r := exited(0, "head")
	r.Steps[0].Stdout.Tail, r.Steps[0].Stdout.Bytes, r.Steps[0].Stdout.Truncated = []byte("tail"), 20, true
	if err := complete(claim(t, s.queue), r); err != nil {
		t.Fatal(err)
	}
	a := s.get("/executions/" + id + "/logs")
	if got, _ := json.Marshal(a.at("logs")); string(got) != `{"stderr":"","stdout":"head","stdoutOmittedBytes":12,"stdoutTail":"tail"}` {
		t.Errorf("logs %s", got)
	}
	if a = s.get("/v1/jobs/" + id); a.status != 200 { // held to the contract
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestLogsBeforeAResult(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	a := s.do("GET", "/executions/"+id+"/logs", "", http.Header{"X-Request-Id": {"trace-of-the-reader"}}) // not the submission's
	a.want(t, 200, fmt.Sprintf(`{"executionId":%q,"traceId":"trace-of-the-reader","status":"queued","logs":{"stdout":"","stderr":""},
		"timedOut":false,"durationMs":null,"updatedAt":%q}`, id, a.at("updatedAt")))
}

func TestTimedOut(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	if err := complete(claim(t, s.queue), killed(job.WallTime, "SIGKILL")); err != nil {
		t.Fatal(err)
	}
	a := s.get("/v1/jobs/" + id)
	if a.at("status") != "timed_out" || a.at("result", "status") != "failed" || a.at("result", "timedOut") != true ||
		a.at("result", "exitCode") != nil || a.at("result", "signal") != "SIGKILL" {
		t.Errorf("a job that timed out: %s", a.raw)
	}
	if logs := s.get("/executions/" + id + "/logs"); logs.at("status") != "timed_out" || logs.at("timedOut") != true {
		t.Errorf("its logs: %s", logs.raw)
	}
}

// An infrastructure fault is an error of the job, not a result.
func TestFaultOfOurs(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	if err := claim(t, s.queue).Fail(t.Context(), queue.Fault{Message: "the sandbox is not there", Cause: "inner detail"}); err != nil {
		t.Fatal(err)
	}
	a := s.get("/v1/jobs/" + id)
	if a.at("status") != "failed" || a.at("result") != nil || a.at("error") != "the sandbox is not there" {
		t.Errorf("a job that failed by our fault: %s", a.raw)
	}
}

func TestUnknownJobs(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	stranger := http.Header{"X-Api-Key": {"tight-key"}}
	for _, tt := range []struct {
		name, method, target string
		header               http.Header
		status               int
		want                 string
	}{
		{"unknown", "GET", "/v1/jobs/nope", nil, 404, `{"error":"not_found","traceId":"test-trace"}`},
		{"unknown by its other name", "GET", "/executions/nope", nil, 404, `{"error":"not_found","traceId":"test-trace"}`},
		{"unknown logs", "GET", "/executions/nope/logs", nil, 404, `{"error":"not_found","traceId":"test-trace"}`},
		{"another tenant's", "GET", "/v1/jobs/" + id, stranger, 404, `{"error":"not_found","traceId":"test-trace"}`},
		{"another tenant's logs", "GET", "/executions/" + id + "/logs", stranger, 404, `{"error":"not_found","traceId":"test-trace"}`},
		{"cancel of an unknown one", "DELETE", "/v1/jobs/nope", nil, 404, `{"error":"not_found","traceId":"test-trace"}`},
		{"cancel of another tenant's", "DELETE", "/v1/jobs/" + id, stranger, 404, `{"error":"not_found","traceId":"test-trace"}`},
		{"blank", "GET", "/v1/jobs/%20", nil, 400, `{"error":"validation_error","traceId":"test-trace","reason":"missing_job_id"}`},
		{"blank logs", "GET", "/executions/%20%09/logs", nil, 400, `{"error":"validation_error","traceId":"test-trace","reason":"missing_job_id"}`},
		{"cancel of a blank one", "DELETE", "/executions/%20", nil, 400, `{"error":"validation_error","traceId":"test-trace","reason":"missing_job_id"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.do(tt.method, tt.target, "", tt.header).want(t, tt.status, tt.want)
		})
	}
	if a := s.get("/v1/jobs/" + id); a.at("status") != "queued" {
		t.Errorf("another tenant changed the job: %s", a.raw)
	}
}

// Who asks for no number of jobs gets 20.
func TestHistoryDefault(t *testing.T) {
	s := newStack(t, nil)
	for range 21 {
		s.submit(helloPython)
	}
	a := s.get("/v1/jobs")
	if items, _ := a.at("items").([]any); len(items) != 20 || a.at("nextCursor") == nil {
		t.Errorf("%d jobs and the cursor %v, want 20 and one for the rest", len(items), a.at("nextCursor"))
	}
	if a := s.get("/v1/jobs?limit=100"); len(a.at("items").([]any)) != 21 || a.at("nextCursor") != nil {
		t.Errorf("all of them: %.200s", a.raw)
	}
}

func TestHistory(t *testing.T) {
	s := newStack(t, nil)
	s.get("/v1/jobs").want(t, 200, `{"tenantId":"`+s.tenant+`","traceId":"test-trace","items":[],"nextCursor":null}`)
	ids := make([]string, 3)
	for i := range ids {
		ids[i] = s.submit(helloPython)
	}
	for target, want := range map[string]int{
		"/v1/jobs": 3, "/executions": 3, "/v1/jobs?limit=2": 2, "/v1/jobs?limit=%200x1": 1, "/v1/jobs?limit=1e2": 3,
	} {
		a := s.get(target)
		items, _ := a.at("items").([]any)
		var got []string
		newer := "9999"
		for _, item := range items {
			m := item.(map[string]any)
			if _, there := m["executionId"]; there {
				t.Errorf("%s: an item has executionId", target)
			}
			got = append(got, m["jobId"].(string))
			created := m["createdAt"].(string)
			if created > newer {
				t.Errorf("%s: a job of %s comes after one of %s, want the newest first", target, created, newer)
			}
			newer = created
		}
		// Which ones is not compared: submissions of the same millisecond have no order.
		if len(got) != want || slices.ContainsFunc(got, func(id string) bool { return !slices.Contains(ids, id) }) {
			t.Errorf("%s: %v, want %d of %v", target, got, want, ids)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	for _, tt := range []struct{ method, target, want string }{
		{"GET", "/v1/jobs?limit=", `{"limit":["Number must be greater than or equal to 1"]}`},
		{"GET", "/v1/jobs?limit", `{"limit":["Number must be greater than or equal to 1"]}`},
		{"GET", "/v1/jobs?limit=0", `{"limit":["Number must be greater than or equal to 1"]}`},
		{"GET", "/v1/jobs?limit=-0x1", `{"limit":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs?limit=101", `{"limit":["Number must be less than or equal to 100"]}`},
		{"GET", "/v1/jobs?limit=1.5", `{"limit":["Expected integer, received float"]}`},
		{"GET", "/v1/jobs?limit=ten", `{"limit":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs?limit=1&limit=1", `{"limit":["Expected number, received nan"]}`},
		{"GET", "/executions?limit=1000.5", `{"limit":["Expected integer, received float","Number must be less than or equal to 100"]}`},
		{"GET", "/v1/jobs?encoding=hex", `{"encoding":["Invalid enum value. Expected 'base64', received 'hex'"]}`},
		{"GET", "/v1/jobs/" + id + "?waitMs=30001", `{"waitMs":["Number must be less than or equal to 30000"]}`},
		{"GET", "/v1/jobs/" + id + "?waitMs=-1&encoding=", `{"waitMs":["Number must be greater than or equal to 0"],
			"encoding":["Invalid enum value. Expected 'base64', received ''"]}`},
		{"POST", "/v1/jobs?waitMs=x", `{"waitMs":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs?language=py&language=java", `{"language":["Expected string, received array"]}`},

		// What can't be read is not left out. The first five are the words of zod 3.25 under fastify 5.
		{"GET", "/v1/jobs?limit=5;", `{"limit":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs?limit=5%", `{"limit":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs?limit=;", `{"limit":["Expected number, received nan"]}`},
		{"GET", "/v1/costs?days=%zz", `{"days":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs?status=failed;limit=1",
			`{"status":["Invalid enum value. Expected 'queued' | 'running' | 'retrying' | 'dispatched' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled', received 'failed;limit=1'"]}`},
		{"GET", "/v1/jobs?limit=5&;", `{";":["` + msgQuery + `"]}`},
		{"GET", "/v1/jobs?language=py%", `{"language":["` + msgQuery + `"]}`},
		{"GET", "/v1/jobs?language=%ff", `{"language":["` + msgQuery + `"]}`},
		{"GET", "/v1/jobs?li%6dit=0", `{"limit":["Number must be greater than or equal to 1"]}`},
		{"GET", "/v1/jobs?x=1;limit=5", `{"x":["` + msgQuery + `"]}`},
		{"GET", "/v1/audit?cursor=1-1;", `{"cursor":["` + msgCursor + `"]}`},
		{"GET", "/v1/audit?limit=1;2", `{"limit":["Expected number, received nan"]}`},
		{"POST", "/v1/jobs?waitMs=100;", `{"waitMs":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs/" + id + "?encoding=base64;", `{"encoding":["Invalid enum value. Expected 'base64', received 'base64;'"]}`},
		{"DELETE", "/v1/jobs/" + id + "?wait=1%", `{"wait":["Expected number, received nan"]}`},
		{"GET", "/v1/jobs/" + id + "/events?lastEventId=1%", `{"lastEventId":["Invalid id: give back the id of an event as it is"]}`},
		{"DELETE", "/v1/jobs/" + id + "?waitMs=x", `{"waitMs":["Expected number, received nan"]}`},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			s.do(tt.method, tt.target, "", nil).want(t, 400,
				`{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":[],"fieldErrors":`+tt.want+`}}`)
		})
	}
}

// The words of ours for what can't be read.
const (
	msgQuery  = "Invalid query: write it as name=value, percent-encoded, with & between two"
	msgCursor = "Invalid cursor: give back the nextCursor of an answer as it is"
)

func TestWait(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	start := time.Now()
	if a := s.get("/v1/jobs/" + id + "?waitMs=50"); a.status != 200 || a.at("status") != "queued" {
		t.Errorf("when the time is over: %d %s, want the job as it is", a.status, a.raw)
	}
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("answered after %s, want 50ms or more", took)
	}
	a := s.post("/v1/jobs?waitMs=50", helloPython)
	if a.status != 202 || a.at("status") != "queued" {
		t.Errorf("a submission when the time is over: %d %s, want the 202 of any submission", a.status, a.raw)
	}

	consume(t, s.queue, func(spec job.Spec) job.Result { return exited(0, spec.Source) })
	if a := s.get("/v1/jobs/" + id + "?waitMs=30000"); a.at("status") != "succeeded" {
		t.Errorf("waiting: %s", a.raw)
	}
	a = s.post("/executions?waitMs=30000&encoding=base64", helloPython)
	if a.status != 200 || a.at("status") != "succeeded" || a.at("executionId") != a.at("jobId") ||
		a.at("result", "stdout") != "print('hello')" || a.at("result", "stdoutBase64") != "cHJpbnQoJ2hlbGxvJyk=" {
		t.Errorf("submit and wait: %d %s", a.status, a.raw)
	}
	if a := s.get("/v1/jobs/nope?waitMs=30000"); a.status != 404 {
		t.Errorf("waiting for an unknown job: %d, want 404 at once", a.status)
	}
}

// The status of a 202 is what is true, for a job that came before and for one that was waited for too short a time.
func TestAcceptedStatus(t *testing.T) {
	s := newStack(t, nil)
	header := http.Header{"Idempotency-Key": {"one"}}
	post := func(target, want string, status int) {
		t.Helper()
		if a := s.do("POST", target, helloPython, header); a.status != status || a.at("status") != want {
			t.Errorf("POST %s: %d %v, want %d %s", target, a.status, a.at("status"), status, want)
		}
	}
	post("/v1/jobs", "queued", 202)
	post("/v1/jobs", "queued", 202)
	lease := claim(t, s.queue)
	post("/v1/jobs", "running", 202)
	post("/v1/jobs?waitMs=20", "running", 202)
	if err := complete(lease, killed(job.WallTime, "SIGKILL")); err != nil {
		t.Fatal(err)
	}
	post("/executions", "timed_out", 202)
	post("/v1/jobs?waitMs=20", "timed_out", 200)
}

// A server that drains lets waiting requests answer with the job as it is.
func TestDrainEndsWaiting(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	s.server.drain()
	if a := s.get("/v1/jobs/" + id + "?waitMs=30000"); a.status != 200 || a.at("status") != "queued" {
		t.Errorf("%d %s, want the job as it is", a.status, a.raw)
	}
}

func TestCancel(t *testing.T) {
	s := newStack(t, nil)

	queued := s.submit(helloPython)
	for range 2 { // twice is no error
		if a := s.do("DELETE", "/v1/jobs/"+queued, "", nil); a.status != 200 || a.at("status") != "cancelled" || a.at("result") != nil {
			t.Errorf("cancel of a waiting job: %d %s", a.status, a.raw)
		}
	}

	running := s.submit(helloPython)
	lease := claim(t, s.queue)
	if lease.Job.ID != running {
		t.Fatalf("the worker got %s, want %s: a cancelled job must not run", lease.Job.ID, running)
	}
	a := s.do("DELETE", "/executions/"+running, "", nil)
	if a.status != 200 || a.at("status") != "running" || a.at("cancelRequestedAt") == nil {
		t.Errorf("cancel of a running job: %d %s", a.status, a.raw)
	}
	if err := complete(lease, cancelled()); err != nil {
		t.Fatal(err)
	}
	a = s.get("/v1/jobs/" + running)
	if a.at("status") != "cancelled" || a.at("result", "verdict") != "cancelled" || a.at("result", "timedOut") != false {
		t.Errorf("a job that was cancelled while it ran: %s", a.raw)
	}

	done := s.submit(helloPython)
	if err := complete(claim(t, s.queue), killed(job.WallTime, "SIGKILL")); err != nil {
		t.Fatal(err)
	}
	s.do("DELETE", "/v1/jobs/"+done, "", nil).want(t, 409, `{"error":"job_finished","traceId":"test-trace","status":"timed_out"}`)
}

// killed is the result of a program that a limit ended.
func killed(v job.Verdict, signal string) job.Result {
	r := exited(0, "")
	r.Status, r.Verdict, r.ExitCode, r.Signal = job.Failed, v, nil, signal
	s := &r.Steps[0]
	s.Verdict, s.ExitCode, s.Signal = v, nil, signal
	s.Evidence = []job.Evidence{{Source: "timer", Value: 3001, Limit: 3000, Unit: "ms"}}
	return r
}

func cancelled() job.Result {
	r := killed(job.VerdictCancelled, "SIGKILL")
	r.Status = job.StatusCancelled
	return r
}
