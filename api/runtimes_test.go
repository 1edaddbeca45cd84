package api

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
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

// The languages that are shipped have the names and files of the contract.
func TestShippedRuntimes(t *testing.T) {
	for name, want := range map[string]struct{ displayName, sourceFile, runtime string }{
		"java": {"Java", "Main.java", "OpenJDK 1"}, "python": {"Python", "main.py", "Python 1"}, "javascript": {"JavaScript", "main.js", "Node.js 1"},
	} {
		text, err := os.ReadFile("../images/" + name + "/language.json")
		if err != nil {
			t.Fatal(err)
		}
		l := job.Language{}
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		l.Version = "1"
		if v := viewRuntime(l); v.Language != name || v.DisplayName != want.displayName || v.SourceFile != want.sourceFile || v.Runtime != want.runtime {
			t.Errorf("%s: %q, %q, %q, want %+v", name, v.DisplayName, v.SourceFile, v.Runtime, want)
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

func TestCatalogue(t *testing.T) {
	python, javaToo := languages[1:2], languages[:2]
	now := time.Unix(0, 0)
	var reads int
	var answer []job.Language
	var fault error
	c := newCatalogue(func(context.Context) (queue.Fleet, error) { reads++; return queue.Fleet{Known: answer}, fault }, nil)
	c.now = func() time.Time { return now }

	for _, step := range []struct {
		name    string
		pass    time.Duration
		answer  []job.Language
		fault   error
		want    int // languages
		wantErr error
		reads   int // so far
	}{
		{"redis away at first", 0, nil, context.DeadlineExceeded, 0, context.DeadlineExceeded, 1},
		{"no worker yet", 0, nil, nil, 0, errNoRuntimes, 2},
		{"a worker comes", 0, python, nil, 1, nil, 3},
		{"kept for a while", catalogueAge - 1, javaToo, nil, 1, nil, 3},
		{"then read again", 1, javaToo, nil, 2, nil, 4},
		{"redis away: the last known", catalogueAge, nil, context.DeadlineExceeded, 2, nil, 5},
		{"not asked again at once", 0, nil, context.DeadlineExceeded, 2, nil, 5},
		{"one was forgotten", catalogueAge, python, nil, 1, nil, 6},
	} {
		now = now.Add(step.pass)
		answer, fault = step.answer, step.fault
		got, err := c.languages(context.Background())
		if len(got) != step.want || !errors.Is(err, step.wantErr) || reads != step.reads {
			t.Errorf("%s: %d languages, %v, %d reads; want %d, %v, %d", step.name, len(got), err, reads, step.want, step.wantErr, step.reads)
		}
	}
}

// While one request reads a list anew, the others use the last one.
func TestCatalogueDoesNotBlock(t *testing.T) {
	reading, release := make(chan struct{}), make(chan struct{})
	first := true
	c := newCatalogue(func(context.Context) (queue.Fleet, error) {
		if !first {
			close(reading)
			<-release
		}
		first = false
		return queue.Fleet{Known: languages}, nil
	}, nil)
	if _, err := c.languages(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.now = func() time.Time { return time.Now().Add(catalogueAge) }
	var slow sync.WaitGroup
	slow.Go(func() { _, _ = c.languages(context.Background()) })
	patience.Receive(t, reading, "the list is read anew")
	if got, err := c.languages(context.Background()); len(got) != 3 || err != nil {
		t.Errorf("%d languages, %v; want the three that were known", len(got), err)
	}
	close(release)
	slow.Wait()
}
