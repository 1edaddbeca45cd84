// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// graveyard is a Redis of the test's own, for dead-lettered jobs.
type graveyard struct {
	t      *testing.T
	server *redistest.Server
	queue  *queue.Queue
}

func newGraveyard(t *testing.T) *graveyard {
	t.Helper()
	g := &graveyard{t: t, server: redistest.New(t)}
	t.Setenv("REDIS_URL", g.server.URL())
	var err error
	if g.queue, err = queue.Open(g.server.URL(), queue.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.queue.Close() })
	return g
}

// bury makes n dead-lettered jobs of that name.
func (g *graveyard) bury(name string, n int) {
	g.t.Helper()
	for i := range n {
		spec := job.Spec{ID: fmt.Sprintf("%s-%d", name, i), Tenant: "acme", Language: "python", Source: "x"}
		sub := queue.Submission{Spec: spec, MaxAttempts: 1, MaxConcurrent: 1000, MaxDaily: 1000}
		if _, err := g.queue.Submit(g.t.Context(), sub); err != nil {
			g.t.Fatal(err)
		}
		lease, err := g.queue.Claim(patience.Context(g.t), queue.Claimer{Worker: "w", Languages: []string{"python"}})
		if err != nil {
			g.t.Fatal(err)
		}
		if state, err := lease.Retry(g.t.Context(), queue.Fault{Message: "x", Cause: "x"}); err != nil || state != queue.Failed {
			g.t.Fatalf("%s, %v", state, err)
		}
	}
}

func (g *graveyard) dead() (ids string) {
	g.t.Helper()
	list, err := g.queue.DeadLetters(g.t.Context(), 1000)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, d := range list {
		ids = d.ID + " " + ids
	}
	return strings.TrimSpace(ids)
}

// replay runs ccee dlq replay and returns its exit code and counts.
func (g *graveyard) replay(args ...string) (code int, r replayed, stderr string) {
	g.t.Helper()
	var stdout, errs bytes.Buffer
	code = run(g.t.Context(), append([]string{"ccee", "dlq", "replay", "--json"}, args...), &stdout, &errs)
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil && stdout.Len() > 0 {
		g.t.Fatalf("%v: %s", err, &stdout)
	}
	return code, r, errs.String()
}

// As the scheduled task runs it, with the contract's variables: all jobs, page by page, the oldest first.
func TestReplayOfAll(t *testing.T) {
	g := newGraveyard(t)
	g.bury("a", 7)
	t.Setenv("DLQ_BATCH_SIZE", "3")
	t.Setenv("DRY_RUN", "true")
	const all = "a-0 a-1 a-2 a-3 a-4 a-5 a-6"
	if code, r, stderr := g.replay(); code != 0 || r.TotalSeen != 7 || r.Recovered != 7 || !r.DryRun || g.dead() != all {
		t.Errorf("dry run: exit code %d, %+v, %s; left %s", code, r, stderr, g.dead())
	}
	t.Setenv("DRY_RUN", "0")
	if code, r, stderr := g.replay("--max", "2"); code != 0 || r.Recovered != 2 || g.dead() != "a-2 a-3 a-4 a-5 a-6" {
		t.Errorf("two of them: exit code %d, %+v, %s; left %s", code, r, stderr, g.dead())
	}
	g.server.Do(t, "DEL", "job:a-2") // it has expired: nothing is left to replay
	if code, r, stderr := g.replay(); code != 0 || r.TotalSeen != 5 || r.Recovered != 4 || r.Skipped != 1 || g.dead() != "a-2" {
		t.Errorf("the rest: exit code %d, %+v, %s; left %s", code, r, stderr, g.dead())
	}
	if c, err := g.queue.Counts(t.Context()); err != nil || c.Waiting != 6 {
		t.Errorf("%+v, %v; want six jobs that wait", c, err)
	}
}

// A job that can't be moved stays whole where it is, ends the run, and makes the exit code 1, with the counts printed.
func TestReplayFails(t *testing.T) {
	g := newGraveyard(t)
	g.bury("a", 3)
	g.server.Do(t, "ACL", "SETUSER", "default", "-zrem")
	code, r, stderr := g.replay()
	if code != 1 || r.TotalSeen != 1 || r.Failed != 1 || r.Recovered != 0 || !strings.Contains(stderr, "replay job a-0") {
		t.Errorf("exit code %d, %+v, %q", code, r, stderr)
	}
	if g.dead() != "a-0 a-1 a-2" {
		t.Errorf("exit code %d, %+v, %q; left %s", code, r, stderr, g.dead())
	}
	if rec, err := g.queue.Get(t.Context(), "acme", "a-0"); err != nil || rec.Status != queue.Failed {
		t.Errorf("the job is %s, %v; want it failed as before", rec.Status, err)
	}
	g.server.Do(t, "ACL", "SETUSER", "default", "+zrem")
	if code, r, stderr := g.replay("a-1"); code != 0 || r.Recovered != 1 || g.dead() != "a-0 a-2" {
		t.Errorf("one by its id: exit code %d, %+v, %q; left %s", code, r, stderr, g.dead())
	}
	if code, _, stderr := g.replay("a-1"); code != 1 || !strings.Contains(stderr, "is not among the newest") {
		t.Errorf("one that is not dead: exit code %d, %q", code, stderr)
	}
	t.Setenv("REDIS_URL", g.server.URL()+".none")
	if code, _, stderr := g.replay(); code != 1 || stderr == "" {
		t.Errorf("no Redis: exit code %d, %q", code, stderr)
	}
}
