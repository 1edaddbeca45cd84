// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestClient is a session with the commands of the API.
func TestClient(t *testing.T) {
	s := sharedUp(t)
	env := []string{"CCEE_API_KEY=" + key, "CCEE_URL=" + s.url}
	do := func(code int, want string, args ...string) string {
		t.Helper()
		got := ccee(t, "in\n", env, args...)
		if got.code != code || !strings.Contains(got.stdout+got.stderr, want) {
			t.Errorf("ccee %q: %+v, want %d and %q", args, got, code, want)
		}
		return strings.TrimSpace(got.stdout)
	}
	id := do(0, "-", "submit", "--no-wait", file(t, "a.py", "import sys; print(input()); print('e', file=sys.stderr); sys.exit(3)"))
	do(3, "in\n", "logs", "--follow", id)
	do(0, "exited 3", "job", "--wait", id)
	do(0, "in\n", "logs", id)
	do(0, id, "history", "--status", "failed", "--language", "python")
	do(0, "Execution failed", "analyze", id)
	again := do(0, "-", "rerun", id)
	do(0, "exited 3", "job", "--wait", again)
	do(0, "deleted "+again, "delete", again)
	do(125, "you have no such job", "job", again)
	slow := do(0, "-", "submit", "--no-wait", file(t, "a.py", "import time; time.sleep(60)"))
	do(0, slow+" is ", "cancel", slow)
	do(0, "cancelled", "job", "--wait", slow)
	do(0, "unfinished jobs", "quota")
	do(0, "total", "costs", "--days", "1")
	do(0, "job_submitted", "audit", "list", "--limit", "100")
	// One key for both makes one job.
	program := file(t, "a.py", "print(1)")
	if one, two := do(0, "-", "submit", "--no-wait", "--idempotency-key", id, program), do(0, "-", "submit", "--no-wait", "--idempotency-key", id, program); one != two {
		t.Errorf("jobs %s and %s of one key", one, two)
	}
}

// TestOperatorCommands: a job that fails by a fault of ccee is found and run again, and a change of its audit is noticed.
func TestOperatorCommands(t *testing.T) {
	s := ownStack(t, "QUEUE_JOB_ATTEMPTS=1")
	socket := filepath.Join(s.data(), "redis", "redis.sock")
	env := []string{"REDIS_URL=unix://" + socket}
	if got := ccee(t, "", env, "dlq", "list", "--json"); got != (ran{0, "", ""}) {
		t.Errorf("an empty list: %+v", got)
	}
	jobs := s.submitSlow(t, "dead", 1)
	s.awaitRunning(t, jobs)
	s.kill9(t, "daemon")
	var id string
	for id = range jobs {
		if j, err := s.await(id, downWithin); err != nil || j.Status != "failed" {
			t.Fatalf("%+v, %v: want failed", j, err)
		}
	}
	var dead struct{ JobID, TenantID, Cause string }
	got := ccee(t, "", env, "dlq", "list", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &dead); err != nil || dead.JobID != id || dead.TenantID != "e2e" || dead.Cause == "" {
		t.Fatalf("the list: %+v, %v", got, err)
	}
	var replay struct {
		TotalSeen, Recovered, Skipped, Failed int
		DryRun                                bool
	}
	for _, args := range [][]string{{"--dry-run"}, {}} {
		got := ccee(t, "", env, append([]string{"dlq", "replay", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(got.stdout), &replay); err != nil || replay.TotalSeen != 1 || replay.Recovered != 1 || replay.DryRun != (len(args) > 0) {
			t.Fatalf("replay %v: %+v, %v", args, got, err)
		}
	}
	s.wantResults(t, jobs)
	if got := ccee(t, "", env, "dlq", "drop", id); got.code != 1 || !strings.Contains(got.stderr, "is not among the newest") {
		t.Errorf("drop of a job that is not dead: %+v", got)
	}

	whole := ccee(t, "", env, "audit", "verify", "e2e")
	if whole.code != 0 || !strings.Contains(whole.stdout, "e2e: ok, ") {
		t.Fatalf("audit verify: %+v", whole)
	}
	// What was not looked at is neither ok nor broken.
	if got := ccee(t, "", env, "audit", "verify", "e2e", "nosuchtenant"); got.code != 125 || !strings.Contains(got.stdout, "nosuchtenant: NOT CHECKED: there is no audit trail") {
		t.Errorf("audit verify of a tenant that is none: %+v", got)
	}
	if got := ccee(t, "", []string{"REDIS_URL=redis://127.0.0.1:1"}, "audit", "verify", "e2e"); got.code != 125 || !strings.Contains(got.stdout, "e2e: NOT CHECKED: ") ||
		!strings.Contains(got.stdout, "connection refused") {
		t.Errorf("audit verify without Redis: %+v", got)
	}
	// Somebody with access to Redis removes an entry.
	cli := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("redis-cli", append([]string{"-s", socket}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	const trail = "tenant:e2e:audit"
	entries := strings.Split(cli("XRANGE", trail, "-", "+", "COUNT", "2"), "\n") // an id and its fields and values, then the next
	cli("XDEL", trail, entries[len(entries)/2])
	if got := ccee(t, "", env, "audit", "verify", "e2e"); got.code != 1 || !strings.Contains(got.stdout, "e2e: BROKEN") {
		t.Errorf("audit verify without an entry: %+v", got)
	}
}
