// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/api/contract"
)

// TestOriginal is a session with the service that this one replaces, by curl, as its users have it: the commands use its paths, its
// development key and its defaults. Each answer must have the members that it had, according to the contract that was recorded from
// it, and no others than ours has. The exact session of its README is not available; this one follows the contract.
func TestOriginal(t *testing.T) {
	s := ownStack(t, "--dev", "TENANT_API_KEYS_JSON=", "RATE_LIMIT_REQUESTS_PER_MINUTE=240", "SUBMIT_RATE_LIMIT_PER_MINUTE=60")
	const asked = ` -H 'x-api-key: dev-local-key'`
	const post = ` -X POST -H 'content-type: application/json'` + asked
	vars := map[string]string{}
	for _, tt := range []struct {
		name, line string // of curl; URLs are below $API, and $JOB stands for the last job
		status     int
		header     map[string]string // by pattern
		body       map[string]string // path to pattern, of the value as JSON
	}{
		{"is it alive", `$API/health`, 200, nil, map[string]string{"status": `"ok"`, "service": `"api"`}},
		{"how long is the queue", `$API/health/summary`, 200, nil, map[string]string{"queue.pending": `0`, "queue.counts.waiting-children": `0`, "autoscaling.queueDepthTarget": `25`}},
		{"HEAD works for every GET", `-I $API/health`, 200, nil, nil},
		{"quotas", `$API/v1/quotas` + asked, 200, map[string]string{"x-ratelimit-limit": "240", "x-ratelimit-remaining": "239", "x-ratelimit-reset": `\d{10}`},
			map[string]string{"tenantId": `"tenant-dev"`, "authType": `"api_key"`, "limits.maxConcurrentJobs": `5`, "limits.maxDailyJobs": `1000`, "limits.submitRateLimitRequests": `60`}},
		{"submit", `$API/v1/jobs` + post + ` -d '{"language":"javascript","sourceCode":"console.log(\"hello\")","timeoutMs":2000,"memoryMb":128,"cpuMillicores":256}'`, 202, nil,
			map[string]string{"status": `"queued"`, "statusUrl": `"/v1/jobs/[0-9a-f-]{36}"`, "executionUrl": `"/executions/[0-9a-f-]{36}"`}},
		{"wait", `$API/v1/jobs/$JOB?waitMs=30000` + asked, 200, nil, map[string]string{"status": `"succeeded"`, "result.stdout": `"hello\\n"`, "result.exitCode": `0`, "request.timeoutMs": `2000`,
			"attempts.max": `3`, "attempts.current": `null`, "failureCategory": `"none"`, "executionEnvironment": `"local-runner"`, "computeTier": `null`}},
		{"by the other name", `$API/executions/$JOB` + asked, 200, nil, map[string]string{"executionId": `"$JOB"`}},
		{"logs", `$API/executions/$JOB/logs` + asked, 200, nil, map[string]string{"logs.stdout": `"hello\\n"`, "logs.stderr": `""`, "timedOut": `false`}},
		{"history", `"$API/v1/jobs?limit=10"` + asked, 200, nil, map[string]string{"items.0.jobId": `"$JOB"`, "tenantId": `"tenant-dev"`}},
		{"analysis", `-X POST $API/v1/jobs/$JOB/analyze` + asked, 200, nil, map[string]string{"provider": `"heuristic"`, "analysis.summary": `"Execution succeeded"`, "analysis.confidence": `"high"`}},
		{"costs", `"$API/v1/costs?days=7"` + asked, 200, nil, map[string]string{"currency": `"USD"`, "windowDays": `7`, "daily.6.estimatedCostUsd": `0`}},
		{"audit", `"$API/v1/audit?limit=12"` + asked, 200, nil, map[string]string{"events.0.action": `"job_analyzed"`, "events.1.action": `"job_succeeded"`, "events.2.action": `"job_running"`,
			"events.3.action": `"job_submitted"`, "events.3.metadata.subject": `"3700285e3c8496a5"`, "events.3.metadata.authType": `"api_key"`, "events.3.actor": `"api"`}},
		{"python", `"$API/executions?waitMs=30000"` + post + ` -d '{"language":"python","sourceCode":"print(input())","stdin":"hi\n"}'`, 200, nil, map[string]string{"result.stdout": `"hi\\n"`}},
		{"java", `"$API/executions?waitMs=30000"` + post + ` -d '{"language":"java","sourceCode":"public class Main { public static void main(String[] a) { System.out.println(42); } }"}'`, 200, nil, map[string]string{"result.stdout": `"42\\n"`}},
		{"an endless loop", `"$API/v1/jobs?waitMs=30000"` + post + ` -d '{"language":"javascript","sourceCode":"while(true);","timeoutMs":500}'`, 200, nil,
			map[string]string{"status": `"timed_out"`, "result.status": `"failed"`, "result.timedOut": `true`, "result.exitCode": `null`, "result.signal": `"SIGKILL"`, "failureCategory": `"timeout"`}},
		{"it is timed_out in an analysis too", `-X POST $API/v1/jobs/$JOB/analyze` + asked, 200, nil, map[string]string{"status": `"timed_out"`, "analysis.summary": `"Execution timed out"`}},
		{"a child that keeps stdout", `"$API/v1/jobs?waitMs=30000"` + post + ` -d '{"language":"python","sourceCode":"import os, time\nif os.fork() == 0: time.sleep(12)\nwhile True: pass","timeoutMs":1000}'`, 200, nil,
			map[string]string{"status": `"timed_out"`, "result.durationMs": `1\d\d\d`}},
		{"an error thrown", `"$API/v1/jobs?waitMs=30000"` + post + ` -d '{"language":"javascript","sourceCode":"throw new Error(\"boom\")"}'`, 200, nil,
			map[string]string{"status": `"failed"`, "result.exitCode": `1`, "result.stderr": `.*boom.*`}},
		{"65,536 newlines", `"$API/v1/jobs?waitMs=30000"` + post + ` -d '{"language":"python","sourceCode":"import os; os.write(1, b\"\\n\" * 65536)"}'`, 200, nil,
			map[string]string{"status": `"succeeded"`, "result.stdoutTruncated": `false`}},
		{"killed by a signal", `"$API/v1/jobs?waitMs=30000"` + post + ` -d '{"language":"python","sourceCode":"import os; os.kill(os.getpid(), 11)"}'`, 200, nil,
			map[string]string{"status": `"failed"`, "result.exitCode": `null`, "result.signal": `"SIGSEGV"`}},
		{"events", `-N $API/v1/jobs/$JOB/events` + asked, 200, map[string]string{"content-type": `text/event-stream; charset=utf-8`, "cache-control": `no-cache, no-transform`, "x-accel-buffering": `no`}, nil},
		{"events by the old name", `$API/executions/$JOB/events`, 307, map[string]string{"location": `/v1/jobs/$JOB/events`}, nil},

		{"a trace id", `$API/v1/runtimes -H 'x-request-id: my trace!!id'`, 200, map[string]string{"x-request-id": `my_trace__id`}, map[string]string{"traceId": `"my_trace__id"`}},
		{"one that is too short", `$API/v1/runtimes -H 'x-request-id: short'`, 200, map[string]string{"x-request-id": `[0-9a-f]{8}-.*`}, nil},
		{"no key", `$API/v1/quotas`, 401, nil, map[string]string{"error": `"unauthorized"`, "reason": `"missing_api_key"`}},
		{"a wrong key", `$API/v1/quotas -H 'x-api-key: nope'`, 401, nil, map[string]string{"reason": `"invalid_api_key"`}},
		{"an unknown route", `$API/nope`, 404, nil, map[string]string{"message": `"Route GET:/nope not found"`, "error": `"Not Found"`, "statusCode": `404`}},
		{"a slash at the end", `$API/health/`, 404, nil, map[string]string{"message": `"Route GET:/health/ not found"`}},
		{"an unknown method", `-X PUT $API/v1/jobs` + asked, 404, nil, map[string]string{"message": `"Route PUT:/v1/jobs not found"`}},
		{"an empty body", `$API/v1/jobs` + post + ` -d ''`, 400, nil, map[string]string{"code": `"FST_ERR_CTP_EMPTY_JSON_BODY"`}},
		{"no JSON", `$API/v1/jobs` + post + ` -d '{'`, 400, nil, map[string]string{"code": `"FST_ERR_CTP_INVALID_JSON_BODY"`}},
		{"another type", `$API/v1/jobs -X POST -H 'content-type: text/csv'` + asked + ` -d 'a,b'`, 415, nil, map[string]string{"code": `"FST_ERR_CTP_INVALID_MEDIA_TYPE"`}},
		{"too large", `$API/v1/jobs` + post + ` --data-binary @$DIR/large`, 413, nil, map[string]string{"code": `"FST_ERR_CTP_BODY_TOO_LARGE"`}},
		{"nothing that is needed", `$API/v1/jobs` + post + ` -d '{}'`, 400, nil, map[string]string{"error": `"validation_error"`, "issues.fieldErrors.language.0": `"Required"`, "issues.fieldErrors.sourceCode.0": `"Required"`}},
		{"wrong values", `$API/v1/jobs` + post + ` -d '{"language":"x","sourceCode":"","timeoutMs":99.5,"memoryMb":"1","stdin":null}'`, 400, nil, map[string]string{
			"issues.fieldErrors.language.0": `"Invalid enum value. Expected .*, received 'x'"`, "issues.fieldErrors.sourceCode.0": `"String must contain at least 1 character\(s\)"`,
			"issues.fieldErrors.timeoutMs.0": `"Expected integer, received float"`, "issues.fieldErrors.timeoutMs.1": `"Number must be greater than or equal to 100"`,
			"issues.fieldErrors.memoryMb.0": `"Expected number, received string"`, "issues.fieldErrors.stdin.0": `"Expected string, received null"`}},
		{"an array", `$API/v1/jobs` + post + ` -d '[]'`, 400, nil, map[string]string{"issues.formErrors.0": `"Expected object, received array"`}},
		{"a limit as JavaScript reads it", `"$API/v1/jobs?limit=0x1"` + asked, 200, nil, map[string]string{"items.1": `null`}},
		{"a limit twice", `"$API/v1/jobs?limit=1&limit=2"` + asked, 400, nil, map[string]string{"issues.fieldErrors.limit.0": `"Expected number, received nan"`}},
		{"no such job", `$API/v1/jobs/nope` + asked, 404, nil, map[string]string{"error": `"not_found"`}},
		{"a blank id", `$API/v1/jobs/%20` + asked, 400, nil, map[string]string{"error": `"validation_error"`, "reason": `"missing_job_id"`}},
		{"a browser asks before", `-X OPTIONS $API/v1/jobs -H 'origin: http://localhost:3000' -H 'access-control-request-method: POST'`, 204,
			map[string]string{"access-control-allow-origin": `http://localhost:3000`, "access-control-max-age": `600`, "vary": `.*[Oo]rigin.*`}, nil},
		{"another's browser asks before", `-X OPTIONS $API/v1/jobs -H 'origin: https://evil.example' -H 'access-control-request-method: POST'`, 404, nil, map[string]string{"statusCode": `404`}},
		{"metrics", `$API/metrics`, 200, map[string]string{"content-type": `text/plain; version=0.0.4; charset=utf-8.*`}, nil},
		{"in JSON", `$API/v1/observability/summary`, 200, nil, map[string]string{"metrics.windowSeconds": `60`, "metrics.workerFleet.running": `1`}},
		{"admin without a key", `$API/v1/admin/metrics`, 401, nil, map[string]string{"error": `"admin_auth_missing"`}},
		{"admin", `$API/v1/admin/metrics` + asked, 200, nil, map[string]string{"dlq.pending": `0`, "ecs": `null`, "autoscaling.queueDepthTarget": `25`}},
		{"a burst", `$API/v1/admin/simulate/burst` + post + ` -d '{"count":3}'`, 200, nil, map[string]string{"status": `"queued"`, "count": `3`}},
		{"a source of 99,000 bytes", `"$API/v1/jobs?waitMs=30000"` + post + ` --data-binary @$DIR/long`, 200, nil, map[string]string{"status": `"succeeded"`, "result.stdout": `"1\\n"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fill := strings.NewReplacer("$API", s.url, "$JOB", vars["JOB"], "$DIR", s.dir)
			got := curl(t, s, fill.Replace(tt.line))
			if got.status != tt.status {
				t.Fatalf("%d %s, want %d", got.status, got.body, tt.status)
			}
			for name, want := range tt.header {
				if v := got.header[name]; !regexp.MustCompile("^" + fill.Replace(want) + "$").MatchString(v) {
					t.Errorf("header %s: %q, want %s", name, v, want)
				}
			}
			var body any
			_ = json.Unmarshal([]byte(got.body), &body)
			for path, want := range tt.body {
				v, _ := json.Marshal(at(body, path))
				if !regexp.MustCompile("^" + fill.Replace(want) + "$").Match(v) {
					t.Errorf("%s: %s, want %s", path, v, want)
				}
			}
			if id, ok := at(body, "jobId").(string); ok && !strings.Contains(tt.line, "$JOB") {
				vars["JOB"] = id
			}
		})
	}
}

// curled is an answer that curl got.
type curled struct {
	status int
	header map[string]string
	body   string
}

// curl runs curl in a shell, as people do, and holds the answer to the contract.
func curl(t *testing.T, s *stack, line string) curled {
	t.Helper()
	write(t, filepath.Join(s.dir, "large"), `"`+strings.Repeat("x", 1<<20)+`"`)
	write(t, filepath.Join(s.dir, "long"), `{"language":"python","sourceCode":"print(1)\n#`+strings.Repeat("x", 99_000)+`"}`)
	dump := filepath.Join(s.dir, "headers")
	out, err := exec.Command("bash", "-c", "curl -sS --max-time 60 -D "+dump+" "+line).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %s: %v %s", line, err, out)
	}
	lines := strings.Split(strings.ReplaceAll(read(t, dump), "\r", ""), "\n")
	c := curled{header: map[string]string{}, body: string(out)}
	for _, l := range lines {
		if name, value, ok := strings.Cut(l, ": "); ok {
			c.header[strings.ToLower(name)] = value
		} else if strings.HasPrefix(l, "HTTP/") {
			c.status, _ = strconv.Atoi(strings.Fields(l)[1]) // of a 100 Continue first
		}
	}
	method := "GET"
	if m := regexp.MustCompile(`-X (\w+)`).FindStringSubmatch(line); m != nil {
		method = m[1]
	} else if strings.HasPrefix(line, "-I") {
		method, c.body = "HEAD", ""
	}
	path := regexp.MustCompile(regexp.QuoteMeta(s.url) + `([^?"' ]*)`).FindStringSubmatch(line)[1]
	if kind := c.header["content-type"]; method != "OPTIONS" && !strings.HasPrefix(kind, "text/event-stream") {
		d, err := described()
		if err == nil {
			sent := http.Header{}
			for name, value := range c.header {
				sent.Set(name, value)
			}
			err = d.Check(contract.Answer{Method: method, Path: path, Status: c.status, Header: sent, Body: []byte(c.body)})
		}
		if err != nil {
			t.Error(err)
		}
	}
	return c
}

// at is the value at a path such as items.0.jobId; nil if there is none.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
