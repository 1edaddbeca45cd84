// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// An api with an empty Redis and no worker accepts what it was told to: the queue fills, and a worker that comes then runs it.
func TestSubmitBeforeAnyWorker(t *testing.T) {
	q := newQueue(t)
	seeded := func(o *Options) { o.Languages = languages }
	s := newStackOn(t, q, seeded)
	a := s.get("/ready")
	if a.status != 200 || a.at("status") != "ready" || a.at("canRun") != false || a.at("workers", "alive") != 0.0 || !strings.Contains(a.raw, "no worker is alive") {
		t.Errorf("GET /ready = %d %s", a.status, a.raw)
	}
	id := s.submit(helloPython)
	s.post("/v1/jobs", `{"language":"cobol","sourceCode":"x"}`).wantStatus(t, 400)
	if a := s.get("/v1/jobs/" + id); a.at("status") != "queued" || a.at("waitingFor") != "worker" {
		t.Errorf("GET the job = %s, want it to wait for a worker", a.raw)
	}
	if a := s.get("/health/summary"); a.at("queue", "pending") != 1.0 || a.at("queue", "stuck") != 1.0 || a.at("canRun") != false {
		t.Errorf("GET /health/summary = %s", a.raw)
	}
	for _, r := range s.get("/v1/runtimes").at("runtimes").([]any) {
		if r.(map[string]any)["available"] != false {
			t.Errorf("%v can run, and there is no worker", r)
		}
	}
	announce(t, q, time.Hour, languages[1:2])
	if l := claim(t, q); l.Job.ID != id {
		t.Errorf("claimed %s, want %s", l.Job.ID, id)
	}
	// What workers announced wins over what the api was told, and stays when they go: every api knows it, one that was just started too.
	newer := languages[1]
	newer.Version = "3.99"
	announce(t, q, time.Hour, []job.Language{newer})
	announce(t, q, 0, nil)
	for name, change := range map[string]func(*Options){"with languages": seeded, "with none": nil} {
		later := newStackOn(t, q, change)
		if a := later.post("/v1/jobs", helloPython); a.status != 202 {
			t.Errorf("an api started later, %s: %d %s", name, a.status, a.raw)
		}
		for _, r := range later.get("/v1/runtimes").at("runtimes").([]any) {
			if r := r.(map[string]any); r["language"] == "python" && r["version"] != "3.99" {
				t.Errorf("%s: python %v, want what the worker announced", name, r["version"])
			}
		}
	}
	// Nobody told this one, and no worker ever had it.
	newStackOn(t, q, nil).post("/v1/jobs", `{"language":"java","sourceCode":"class Main {}"}`).wantStatus(t, 400)
}

func (a answer) wantStatus(t *testing.T, want int) {
	t.Helper()
	if a.status != want {
		t.Errorf("%d %s, want %d", a.status, a.raw, want)
	}
}

// The body of /ready says what would keep a job waiting.
func TestReadySaysWhatWaits(t *testing.T) {
	q := newQueue(t)
	a := &fakeArchive{}
	s := newStackOn(t, q, func(o *Options) { o.Archive = a })
	publish := func(worker string, ttl time.Duration, langs []job.Language) {
		t.Helper()
		if err := q.PublishRuntimes(context.Background(), worker, langs, ttl); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name   string
		change func()
		runs   bool
		warns  string // "": nothing
	}{
		{"two workers", func() { publish("w1", time.Hour, languages); publish("w2", time.Hour, languages) }, true, ""},
		{"one without a daemon", func() { publish("w1", time.Hour, nil) }, true, "2 workers are alive, only 1 with a daemon that can run jobs"},
		{"fewer languages", func() { publish("w1", time.Hour, languages[1:]); publish("w2", time.Hour, languages[1:]) }, true, "no worker can run java now"},
		{"no daemon", func() { publish("w1", time.Hour, nil); publish("w2", time.Hour, nil) }, false, "2 workers are alive, none has a daemon"},
		{"one of them gone", func() { publish("w2", 0, nil) }, false, "1 worker is alive, none has a daemon"},
		{"none", func() { publish("w1", 0, nil) }, false, "no worker is alive"},
		{"back, and the archive away", func() {
			publish("w1", time.Hour, languages)
			a.err = errors.New("refused")
			s.server.archive.at = time.Time{}
		}, true, "the archive's database does not answer"},
	} {
		step.change()
		s.server.ready = readyCache{} // it is used again for a second
		got := s.get("/ready")
		if got.status != 200 || got.at("canRun") != step.runs || step.warns == "" && len(got.at("warnings").([]any)) > 0 || !strings.Contains(got.raw, step.warns) {
			t.Errorf("%s: %d %s, want canRun %v and %q", step.name, got.status, got.raw, step.runs, step.warns)
		}
	}
}

// The metrics count as running only workers that can run jobs.
func TestMetricsWithoutDaemon(t *testing.T) {
	q := newQueue(t)
	announce(t, q, time.Hour, languages)
	announce(t, q, time.Hour, nil)
	s := newStackOn(t, q, nil)
	s.submit(helloPython)
	wantGauges(t, s, map[string]float64{"ccee_worker_running": 0, "ccee_worker_desired": 1, "ccee_worker_pending": 1, "ccee_queue_stuck": 1})
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), what)
}

// An api ends what waits for a language that nobody has, with no worker there to do so.
func TestApiEndsWhatNobodyRuns(t *testing.T) {
	redistest.Require(t)
	name := unique("queue")
	q, err := queue.Open(shared.URL(), queue.Options{Name: name, DeadLetterName: name + "-dlq", MaxWait: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	s := newStackOn(t, q, func(o *Options) { o.Languages = languages })
	id := s.submit(helloPython)
	serve(t, s)
	rec, err := q.Wait(patience.Context(t), s.tenant, id)
	if err != nil || rec.Status != queue.Failed || rec.FailureCategory != "infrastructure" {
		t.Errorf("%+v, %v, want it failed", rec, err)
	}
	if a := s.get("/v1/jobs/" + id); a.at("error") != "no worker offered python within 0 seconds" || a.at("status") != "failed" {
		t.Errorf("GET: %s", a.raw)
	}
	if a := s.get("/v1/quotas"); a.at("usage", "activeJobs") != 0.0 {
		t.Errorf("quotas: %s", a.raw)
	}
}

// While Redis is away, what tries again and again says so once.
func TestAwayIsLoggedOnce(t *testing.T) {
	q, err := queue.Open("unix://"+t.TempDir()+"/absent.sock", queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	log := &lines{}
	s := newStackOn(t, q, func(o *Options) { o.Log = zerolog.New(log) })
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { s.server.deliver(ctx) })
	defer working.Wait()
	defer cancel()
	patience.Until(t, "it says that webhooks wait", func() (bool, string) { return log.count("webhooks wait") > 0, "" })
	for range 3 {
		s.get("/ready").wantStatus(t, 503)
	}
	// It tries each second: for three of them nothing may be said.
	until := time.Now().Add(3 * time.Second)
	patience.Until(t, "three seconds are over", func() (bool, string) { return time.Now().After(until), "" })
	if n := log.count("webhooks wait"); n != 1 {
		t.Errorf("%d lines that webhooks wait, want one", n)
	}
	if n := log.count("not ready"); n != 1 {
		t.Errorf("%d lines that it is not ready, want one", n)
	}
}

// A job that can't run now shows what it waits for, wherever it is read alone; what can run, runs or has run shows nothing.
func TestWaitingFor(t *testing.T) {
	s := newStackOn(t, newQueue(t), func(o *Options) { o.Languages = languages })
	read := func(id, query string, want any) {
		t.Helper()
		s.server.ready = readyCache{} // what it knows may be a second old
		if a := s.get("/v1/jobs/" + id + query); a.status != 200 || a.body["waitingFor"] != want {
			t.Errorf("GET %s: waitingFor is %v, want %v", query, a.body["waitingFor"], want)
		}
	}
	id := s.submit(helloPython)
	read(id, "", "worker")
	read(id, "?waitMs=1", "worker")
	announce(t, s.queue, time.Hour, nil)
	read(id, "", "worker")
	announce(t, s.queue, time.Hour, languages[:1])
	read(id, "", "language")
	announce(t, s.queue, time.Hour, languages)
	read(id, "", nil)
	lease := claim(t, s.queue)
	announce(t, s.queue, 0, nil)
	read(id, "", nil)
	if state, err := lease.Retry(t.Context(), queue.Fault{Message: "x", Cause: "x"}); err != nil || state != queue.Retrying {
		t.Fatalf("retry: %s, %v", state, err)
	}
	read(id, "", "worker")
}

// Each job that is admitted is reported, so that a queue that was idle can ask for workers at once; what was not, is not.
func TestSubmittedIsReported(t *testing.T) {
	n := 0
	s := newStackOn(t, newQueue(t), func(o *Options) { o.Languages, o.Submitted = languages, func() { n++ } })
	s.submit(helloPython)
	s.post("/v1/jobs", `{"language":"cobol","sourceCode":"x"}`).wantStatus(t, 400)
	s.post("/v1/batch", `{"jobs":[`+helloPython+`,`+helloPython+`]}`).wantStatus(t, 200)
	s.post("/v1/admin/simulate/burst", `{"count":2}`).wantStatus(t, 200)
	if n != 5 {
		t.Errorf("%d submissions were reported, want 5", n)
	}
}
