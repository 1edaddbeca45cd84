// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

func TestRuntimes(t *testing.T) {
	s := newStack(t, nil)
	a := s.do("GET", "/v1/runtimes", "", nil)
	runtimes, _ := a.at("runtimes").([]any)
	if a.status != 200 || len(runtimes) != 3 {
		t.Fatalf("%d %s, want 200 and three languages", a.status, a.raw)
	}
	for i, want := range []struct{ language, runtime, pipeline string }{
		{"java", "Java 25.0.3", "javac Main.java; java -Xmx<memory>m Main"},
		{"python", "Python 3.13.5", "python3 main.py"},
		{"javascript", "Node.js 24.16.0", "node main.js"},
	} {
		r := runtimes[i].(map[string]any)
		var steps []string
		for _, step := range r["pipeline"].([]any) {
			steps = append(steps, step.(string))
		}
		if got := strings.Join(steps, "; "); r["language"] != want.language || r["runtime"] != want.runtime || got != want.pipeline {
			t.Errorf("runtime %d: %v %v %q, want %v", i, r["language"], r["runtime"], got, want)
		}
	}
}

// The order is one thing in a menu and another in the words of a validation error.
func TestOrderOfLanguages(t *testing.T) {
	q := newQueue(t)
	var announced []job.Language
	for _, name := range []string{"awk", "cpp", "csharp", "go", "java", "javascript", "lua", "python", "typescript"} {
		announced = append(announced, job.Language{Name: name, DisplayName: name, Run: []string{"/x"}})
	}
	announce(t, q, time.Hour, announced)
	s := newStackOn(t, q, nil)
	var got []string
	for _, r := range s.get("/v1/runtimes").at("runtimes").([]any) {
		got = append(got, r.(map[string]any)["language"].(string))
	}
	if want := "java python go javascript typescript cpp csharp awk lua"; strings.Join(got, " ") != want {
		t.Errorf("order %s, want %s", got, want)
	}
	if a := s.post("/v1/jobs", `{"language":"x","sourceCode":"x"}`); !strings.Contains(a.raw, "Expected 'javascript' | 'python' | 'java' | 'awk'") {
		t.Errorf("validation: %s", a.raw)
	}
}

func TestNoRuntimes(t *testing.T) {
	s := newStackOn(t, newQueue(t), nil)
	s.post("/v1/jobs", helloPython).want(t, 503, `{"error":"submission_unavailable","reason":"no_runtimes","traceId":"test-trace"}`)
	if a := s.get("/v1/runtimes"); a.status != 200 || len(a.at("runtimes").([]any)) != 0 {
		t.Errorf("GET /v1/runtimes = %d %s, want an empty list", a.status, a.raw)
	}
	if a := s.get("/ready"); a.status != 503 || a.at("status") != "unavailable" || len(a.at("reasons").([]any)) != 1 {
		t.Errorf("GET /ready = %d %s, want 503 with a reason", a.status, a.raw)
	}
	// The first worker to come is seen at once: no list is never kept.
	announce(t, s.queue, time.Hour, languages)
	s.submit(helloPython)
	s.server.ready = readyCache{}
	if a := s.get("/ready"); a.status != 200 || a.at("status") != "ready" {
		t.Errorf("GET /ready = %d %s, want 200", a.status, a.raw)
	}
}
