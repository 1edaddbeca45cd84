// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestKill kills each part of the stack while jobs run and wait. Every job must get exactly one result, the right one.
func TestKill(t *testing.T) {
	s := ownStack(t, "WORKER_CONCURRENCY=2")
	for _, part := range []string{"daemon", "worker", "api", "redis"} {
		t.Run(part, func(t *testing.T) {
			if part == "redis" {
				s.syncAlways(t)
			}
			jobs := s.submitSlow(t, part, 6)
			s.awaitRunning(t, jobs)
			s.kill9(t, part)
			s.wantResults(t, jobs)
			s.wantNoJails(t)
		})
	}
	t.Run("counted once", func(t *testing.T) { s.wantCounts(t, 4*6) })
}

// TestKillUp kills ccee up itself. All its children die with it, and the next one finds the jobs where they were.
func TestKillUp(t *testing.T) {
	s := ownStack(t, "WORKER_CONCURRENCY=2")
	s.syncAlways(t)
	jobs := s.submitSlow(t, "up", 4)
	s.awaitRunning(t, jobs)
	family := s.family()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	patience.Receive(t, s.ended, "ccee up is gone")
	wantGone(t, family)
	if err := s.up("WORKER_CONCURRENCY=2"); err != nil {
		t.Fatal(err)
	}
	s.wantResults(t, jobs)
	s.wantCounts(t, len(jobs))
	s.wantNoJails(t)
}

// syncAlways has the stack's Redis write before it answers, whatever its disk does. With everysec it answers up to two seconds before
// that while the disk is slow, and a kill loses writes that it has acknowledged.
func (s *stack) syncAlways(t *testing.T) {
	t.Helper()
	out, err := exec.Command("redis-cli", "-s", filepath.Join(s.data(), "redis", "redis.sock"), "CONFIG", "SET", "appendfsync", "always").CombinedOutput()
	if err != nil || string(out) != "OK\n" {
		t.Fatalf("redis-cli: %v %s", err, out)
	}
}

// submitSlow submits jobs that take a second, each with an output of its own: id of the job to what it prints.
func (s *stack) submitSlow(t *testing.T, tag string, n int) map[string]string {
	t.Helper()
	jobs := map[string]string{}
	for i := range n {
		out := fmt.Sprintf("%s %d\n", tag, i)
		jobs[s.submit(t, python(fmt.Sprintf("import time; time.sleep(1); print(%q)", out[:len(out)-1])))] = out
	}
	return jobs
}

// awaitRunning returns when one of the jobs runs. The wait happens in the server.
func (s *stack) awaitRunning(t *testing.T, jobs map[string]string) {
	t.Helper()
	for deadline := time.Now().Add(patience.Long()); time.Now().Before(deadline); {
		for id := range jobs {
			j, err := s.get(id, 20*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if j.Status == "running" {
				return
			}
		}
	}
	t.Fatal("no job runs")
}

func (s *stack) wantResults(t *testing.T, jobs map[string]string) {
	t.Helper()
	for id, want := range jobs {
		j, err := s.await(id, patience.Long()) // a worker's jobs are taken over when its lease of 15 s is over
		if err != nil {
			t.Error(err)
			continue
		}
		if j.Status != "succeeded" || j.Result == nil || j.Result.Stdout != want {
			t.Errorf("job %s: status %s, result %+v, error %v; want %q", id, j.Status, j.Result, j.Error, want)
		}
	}
}

// wantCounts: nothing runs or waits, and as many jobs have ended as there were.
func (s *stack) wantCounts(t *testing.T, jobs int) {
	t.Helper()
	status, answer, err := s.request("GET", "/health/summary", "", nil)
	if err != nil || status != 200 {
		t.Fatalf("GET /health/summary: %d %s %v", status, answer, err)
	}
	var summary struct {
		Queue struct {
			Pending int
			Counts  struct{ Completed, Failed int }
		}
	}
	if err := json.Unmarshal(answer, &summary); err != nil {
		t.Fatal(err)
	}
	if c := summary.Queue; c.Pending != 0 || c.Counts.Completed != jobs || c.Counts.Failed != 0 {
		t.Errorf("pending %d, completed %d, dead %d; want 0, %d, 0", c.Pending, c.Counts.Completed, c.Counts.Failed, jobs)
	}
}

// wantNoJails: no sandbox is left, dead or alive.
func (s *stack) wantNoJails(t *testing.T) {
	t.Helper()
	eventually(t, "no cgroup of a jail is left", 5*time.Second, func() (bool, string) {
		left := s.jails()
		return len(left) == 0, fmt.Sprint(left)
	})
}

// TestStop: SIGTERM ends all in order with exit code 0, and nothing stays behind.
func TestStop(t *testing.T) {
	before := mounts(t)
	s := ownStack(t)
	jobs := s.submitSlow(t, "stop", 3)
	s.awaitRunning(t, jobs)
	family := s.family()
	if err := s.down(); err != nil {
		t.Errorf("ccee up ended with %v, want exit code 0", err)
	}
	if len(s.lines) != 1 {
		t.Errorf("stdout has the lines %q, want the ready line alone", s.lines)
	}
	wantGone(t, family)
	if left := s.parents(); len(left) != 0 {
		t.Errorf("cgroups are left: %v", left)
	}
	if after := mounts(t); len(after) != len(before) {
		t.Errorf("%d mounts before, %d after: %v", len(before), len(after), after)
	}
	s.wantFiles(t)
}

// TestInterrupt: Ctrl-C in a terminal goes to the whole process group, of which ccee up must be the only member.
func TestInterrupt(t *testing.T) {
	s := ownStack(t)
	family := s.family()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.ended:
	case <-time.After(downWithin):
		t.Fatal("ccee up did not end")
	}
	if s.err != nil {
		t.Errorf("ccee up ended with %v, want exit code 0", s.err)
	}
	wantGone(t, family)
}
