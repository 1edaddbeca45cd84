// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBadInput: a clear refusal each, by the API before anything runs.
func TestBadInput(t *testing.T) {
	s := sharedUp(t)
	py := func(more ...any) body { return python("print(1)", more...) }
	for _, tt := range []struct {
		name   string
		body   any
		status int
		within []string // of the answer
	}{
		{"unknown language", body{"language": "cobol", "sourceCode": "x"}, 400, []string{"language", "'python'", "received 'cobol'"}},
		{"no language", body{"sourceCode": "x"}, 400, []string{"language", "Required"}},
		{"no source", body{"language": "python"}, 400, []string{"sourceCode", "Required"}},
		{"source is a number", body{"language": "python", "sourceCode": 7}, 400, []string{"sourceCode", "Expected string, received number"}},
		{"time-out is a string", py("timeoutMs", "1000"), 400, []string{"timeoutMs", "Expected number, received string"}},
		{"time-out below the minimum", py("timeoutMs", 1), 400, []string{"timeoutMs", "greater than or equal to 100"}},
		{"memory beyond the maximum", py("memoryMb", 4096), 400, []string{"memoryMb", "less than or equal to 512"}},
		{"a limit beyond the maximum", py("run", body{"pids": 1_000_000}), 400, []string{"pids", "less than or equal to 1024"}},
		{"an unknown limit", py("run", body{"pidz": 1}), 400, []string{"pidz"}},
		{"bad base64", py("stdinBase64", "!!!"), 400, []string{"stdinBase64", "base64"}},
		{"a file that climbs out", py("files", []body{{"name": "../x", "content": ""}}), 400, []string{"files", "climb"}},
		{"an absolute file", py("files", []body{{"name": "/etc/passwd", "content": ""}}), 400, []string{"files", "relative"}},
		{"a file twice", py("files", []body{{"name": "a", "content": ""}, {"name": "a", "content": ""}}), 400, []string{"files", "twice"}},
		{"an environment name", py("env", body{"A=B": "x"}), 400, []string{"env"}},
		{"source too long", python(strings.Repeat("x", 100_001)), 400, []string{"sourceCode", "at most 100000"}},
		{"source of too many bytes", python("#" + strings.Repeat("€", 50_000)), 413, []string{"payload_too_large", "sourceCode"}},
		{"body too large", `{"language":"python","sourceCode":"` + strings.Repeat("x", 1<<20) + `"}`, 413, []string{"FST_ERR_CTP_BODY_TOO_LARGE"}},
		{"not JSON", `{"language":`, 400, []string{"FST_ERR_CTP_INVALID_JSON_BODY"}},
		{"an array", `[]`, 400, []string{"received array"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, answer, err := s.request("POST", "/v1/jobs", key, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if status != tt.status {
				t.Errorf("status %d, want %d: %.500s", status, tt.status, answer)
			}
			for _, want := range tt.within {
				if !strings.Contains(string(answer), want) {
					t.Errorf("the answer does not say %q: %.500s", want, answer)
				}
			}
		})
	}
}

// TestKeys: which keys may do what.
func TestKeys(t *testing.T) {
	s := sharedUp(t)
	id := s.submit(t, python("print(1)"))
	for _, tt := range []struct {
		name, key string
		status    int
	}{
		{"no key", "", 401}, {"a wrong key", "dev-local-key", 401}, {"another tenant's", "other-key", 404}, {"its own", key, 200},
	} {
		if status, answer, err := s.request("GET", "/v1/jobs/"+id, tt.key, nil); err != nil || status != tt.status {
			t.Errorf("%s: %d %s %v, want %d", tt.name, status, answer, err, tt.status)
		}
	}
}

// TestQuota: the tenant tight may have one unfinished job.
func TestQuota(t *testing.T) {
	s := sharedUp(t)
	slow := python("import time; time.sleep(2)")
	status, answer, err := s.request("POST", "/v1/jobs", "tight-key", slow)
	if err != nil || status != 202 {
		t.Fatalf("the first job: %d %s %v", status, answer, err)
	}
	status, answer, err = s.request("POST", "/v1/jobs", "tight-key", slow)
	if err != nil || status != 429 || !strings.Contains(string(answer), "max_concurrent_jobs") {
		t.Errorf("the second job: %d %s %v, want 429 max_concurrent_jobs", status, answer, err)
	}
}

// TestCancel cancels a running job.
func TestCancel(t *testing.T) {
	s := sharedUp(t)
	id := s.submit(t, python("import time; print('before', flush=True); time.sleep(14)", "timeoutMs", 15_000))
	s.awaitRunning(t, map[string]string{id: ""})
	status, answer, err := s.request("DELETE", "/v1/jobs/"+id+"?waitMs=10000", key, nil)
	var j jobObject
	if err == nil {
		err = json.Unmarshal(answer, &j)
	}
	if err != nil || status != 200 || j.Status != "cancelled" {
		t.Errorf("DELETE: %d %s %v, want 200 and cancelled", status, answer, err)
	}
	if status, answer, err = s.request("DELETE", "/v1/jobs/nonexistent", key, nil); err != nil || status != 404 {
		t.Errorf("DELETE of an unknown job: %d %s %v, want 404", status, answer, err)
	}
}
