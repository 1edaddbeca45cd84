// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// standIn answers as the API does, with one job in each state and a tenant who tries to steer terminals.
func standIn(t *testing.T) string {
	text := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	result := `{"status":"failed","verdict":"exited","exitCode":3,"signal":null,"durationMs":41,"stdoutBase64":"` + text("out\n") + `","stderrBase64":"` + text("err\n") + `"}`
	job := func(id, status, result string) string {
		return `{"jobId":"` + id + `","status":"` + status + `","language":"python","createdAt":"2026-01-31T10:00:00.000Z","completedAt":null,"error":null,"result":` + result + `}`
	}
	tests := `{"status":"failed","verdict":"wrong_answer","exitCode":0,"signal":null,"durationMs":5,"stdoutBase64":"","stderrBase64":"","tests":{"total":2,"passed":1,"items":[
		{"number":1,"name":"a","passed":true,"verdict":"accepted","message":""},{"number":2,"name":"\u001b[2J","passed":false,"verdict":"wrong_answer","message":"line 1"}]}}`
	answers := map[string]string{
		"GET /v1/runtimes":           `{"runtimes":[{"language":"python","aliases":["py"],"sourceFile":"main.py"}]}`,
		"GET /v1/jobs/done":          job("done", "failed", result),
		"GET /v1/jobs/waiting":       job("waiting", "queued", "null"),
		"GET /v1/jobs/tested":        job("tested", "failed", tests),
		"GET /v1/jobs/oom":           job("oom", "failed", `{"status":"failed","verdict":"oom_killed","exitCode":null,"signal":"SIGKILL","durationMs":5,"stdoutBase64":"","stderrBase64":""}`),
		"DELETE /v1/jobs/waiting":    job("waiting", "cancelled", "null"),
		"DELETE /v1/jobs/done/data":  `{"jobId":"done","deleted":true}`,
		"POST /v1/jobs/done/rerun":   `{"jobId":"again"}`,
		"POST /v1/jobs/done/analyze": `{"provider":"heuristic","analysis":{"summary":"It \u001b[31mfailed","explanation":"Because.","suggestions":["Do this."],"confidence":"high"}}`,
		"GET /v1/jobs/done/events":   "event: stdout\nid: 1.1.4.0.0.0.0\ndata: {\"step\":\"run\",\"attempt\":1,\"text\":\"live\\n\"}\n\nevent: done\ndata: {\"status\":\"failed\"}\n\n",
		"GET /v1/jobs":               `{"items":[` + job("done", "failed", result) + "," + job("waiting", "queued", "null") + `],"nextCursor":null}`,
		"GET /v1/audit":              `{"events":[{"timestamp":"2026-01-31T10:00:00.000Z","actor":"api","action":"job_submitted","jobId":"done","metadata":{"a":1}}],"nextCursor":null}`,
		"GET /v1/quotas":             `{"tenantId":"acme","limits":{"maxConcurrentJobs":5,"maxDailyJobs":1000,"rateLimitRequests":240,"rateLimitWindowSeconds":60,"submitRateLimitRequests":60},"usage":{"activeJobs":1,"dailyJobs":12,"dailyDate":"2026-01-31","estimatedCostUsd":2.7e-7}}`,
		"GET /v1/costs":              `{"totalEstimatedCostUsd":0.5,"daily":[{"date":"2026-01-31","estimatedCostUsd":0.5}]}`,
		"POST /v1/jobs":              `{"jobId":"new"}`,
		"GET /v1/jobs/new":           job("new", "succeeded", strings.Replace(result, `"exitCode":3`, `"exitCode":0`, 1)),
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.Method+" "+r.URL.Path]
		switch {
		case r.Header.Get("X-Api-Key") != "key-1":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"unauthorized","reason":"invalid_api_key"}`)
		case r.URL.Path == "/v1/jobs/busy":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"error":"rate_limited"}`)
		case r.Method == "DELETE" && r.URL.Path == "/v1/jobs/done": // as api/cancel.go has it
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"error":"job_finished","status":"failed"}`)
		case r.Method == "DELETE" && r.URL.Path == "/v1/jobs/waiting/data":
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"error":"job_unfinished","reason":"cancel_it_first"}`)
		case strings.HasPrefix(r.URL.Path, "/docs/"):
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"Route GET:/docs/v1/jobs/done not found","error":"Not Found","statusCode":404}`)
		case !known:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":"not_found"}`)
		case strings.HasSuffix(r.URL.Path, "/events"):
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, answer)
		default:
			fmt.Fprint(w, answer)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestRemote: the commands that speak to the API, what they print and how they end.
func TestRemote(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	t.Setenv("CCEE_URL", standIn(t))
	program := filepath.Join(t.TempDir(), "a.py")
	if err := os.WriteFile(program, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args             string
		code             int
		stdout, contains string // all of stdout, if not ""; and what stderr contains
	}{
		{"job done", 0, "job        done\nstatus     failed\nlanguage   python\ncreated    2026-01-31 10:00:00\ncompleted  -\nended      exited 3\ntook       41 ms\nstdout     4 bytes\nstderr     4 bytes\n", ""},
		{"job --json waiting", 0, `{"jobId":"waiting","status":"queued","language":"python","createdAt":"2026-01-31T10:00:00.000Z","completedAt":null,"error":null,"result":null}` + "\n", ""},
		{"job tested", 0, "job        tested\nstatus     failed\nlanguage   python\ncreated    2026-01-31 10:00:00\ncompleted  -\nended      wrong_answer 0\ntook       5 ms\nstdout     0 bytes\nstderr     0 bytes\ntests      1 of 2 passed\ntest 1     a accepted\ntest 2     \uFFFD[2J wrong_answer line 1\n", ""},
		{"job none", 125, "", "you have no such job"},
		{"job busy", 125, "", "try again in 7s"},
		{"job", 2, "", "needs a JOB-ID"},
		{"logs done", 0, "out\n", "err\n"},
		{"logs waiting", 0, "", "--follow waits for it"},
		{"logs --follow done", 3, "live\n", ""},
		{"cancel waiting", 0, "waiting is cancelled\n", ""},
		{"cancel done", 125, "", "it has ended already; ccee job shows"},
		{"delete waiting", 125, "", "wait until it ends, or cancel it"},
		{"job --url " + os.Getenv("CCEE_URL") + "/docs done", 125, "", "is this the address of a ccee API"},
		{"rerun done", 0, "again\n", ""},
		{"delete done", 0, "deleted done\n", ""},
		{"analyze done", 0, "It \uFFFD[31mfailed (heuristic, confidence high)\nBecause.\n- Do this.\n", ""},
		{"history", 0, "JOB      STATUS  LANGUAGE  CREATED              MS  ENDED\ndone     failed  python    2026-01-31 10:00:00  41  exited 3\nwaiting  queued  python    2026-01-31 10:00:00  -   -\n", ""},
		{"history --limit 1", 0, "JOB   STATUS  LANGUAGE  CREATED              MS  ENDED\ndone  failed  python    2026-01-31 10:00:00  41  exited 3\n", ""},
		{"history --since yesterday", 2, "", "neither a time"},
		{"quota", 0, "tenant              acme\nunfinished jobs     1 of 5\njobs on 2026-01-31  12 of 1000\nrequests            240 in 60 s, 60 of them submissions\ncost today          0.00000027 USD\n", ""},
		{"costs", 0, "DATE        USD\n2026-01-31  0.5\ntotal       0.5\n", ""},
		{"audit list", 0, "TIME                 ACTOR  ACTION         JOB   METADATA\n2026-01-31 10:00:00  api    job_submitted  done  {\"a\":1}\n", ""},
		{"submit --no-wait " + program, 0, "new\n", ""},
		{"submit " + program, 0, "out\n", "err\n"},
		{"submit -l cobol " + program, 2, "", `no language "cobol"`},
		{"job --url ftp://x done", 2, "", "is not a URL"},
		{"job --url http://127.0.0.1:1 done", 125, "", "is the API running?"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Setenv("CCEE_API_KEY", "key-1")
			out, errs, code := ccee(t, strings.Fields(tt.args)...)
			if code != tt.code || tt.stdout != "" && out != tt.stdout || !strings.Contains(errs, tt.contains) {
				t.Errorf("exit code %d, stdout %q, stderr %q\nwant %d, %q, %q", code, out, errs, tt.code, tt.stdout, tt.contains)
			}
		})
	}
	for key, want := range map[string]string{"": "CCEE_API_KEY is not set", "other": "this API does not know the key in CCEE_API_KEY"} {
		t.Setenv("CCEE_API_KEY", key)
		if _, errs, code := ccee(t, "quota"); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("with the key %q: %d %q, want %q", key, code, errs, want)
		}
	}
}

// ccee runs a command line in this process, with nothing on stdin.
func ccee(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"ccee"}, args...), &out, &errs)
	return out.String(), errs.String(), code
}
