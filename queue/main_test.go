// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// server is a redis-server of the tests' own on a unix socket.
type server struct {
	dir string
	cmd *exec.Cmd
}

var shared *server // nil where redis-server is not installed

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if dir := os.Getenv("CCEE_LUA"); dir != "" { // has lua/*.lua: a mutation of a script needs no new binary
		luaFiles = os.DirFS(dir)
	}
	dir, err := os.MkdirTemp("", "queue-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if _, err := exec.LookPath("redis-server"); err == nil {
		shared = &server{dir: dir}
		if err := shared.start("--save", "", "--appendonly", "no"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.kill()
	}
	return m.Run()
}

func (s *server) url() string { return "unix://" + filepath.Join(s.dir, "redis.sock") }

// start runs redis-server and returns when it answers. What a killed one wrote half is cut off, as ccee up does; see its checkAOF.
func (s *server) start(args ...string) error {
	if manifest := filepath.Join(s.dir, "appendonlydir", "appendonly.aof.manifest"); exists(manifest) {
		check := exec.Command("redis-check-aof", "--fix", manifest)
		check.Stdin = strings.NewReader("y\ny\ny\n")
		if out, err := check.CombinedOutput(); err != nil {
			return fmt.Errorf("redis-check-aof: %w\n%s", err, out)
		}
	}
	s.cmd = exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", filepath.Join(s.dir, "redis.sock"), "--dir", s.dir}, args...)...)
	var out bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	q, err := Open(s.url(), Options{})
	if err != nil {
		return err
	}
	defer q.Close()
	until := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		if err = q.Ping(context.Background()); err == nil {
			return nil
		}
		if time.Now().After(until) {
			s.kill()
			return fmt.Errorf("redis-server does not answer: %w\n%s", err, &out)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func requireRedis(t testing.TB) {
	t.Helper()
	if shared == nil {
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal("redis-server is not installed: apt-get install redis-server")
		}
		t.Skip("redis-server is not installed: apt-get install redis-server")
	}
}

var names atomic.Int64

// newQueue opens a queue that no other test uses.
func newQueue(t testing.TB, opts Options) *Queue {
	t.Helper()
	requireRedis(t)
	opts.Name = fmt.Sprintf("test-%d", names.Add(1))
	opts.DeadLetterName = opts.Name + "-dlq"
	return openQueue(t, shared.url(), opts)
}

func openQueue(t testing.TB, url string, opts Options) *Queue {
	t.Helper()
	q, err := Open(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// unique makes a name that no other test uses.
func unique(s string) string { return fmt.Sprintf("%s-%d", s, names.Add(1)) }

func submission(tenant, id string) Submission {
	return Submission{
		Spec:    job.Spec{ID: id, Tenant: tenant, Language: "python", Source: "print(1)\n"},
		Request: Request{TimeoutMs: 3000, MemoryMb: 128, CPUMillicores: 256}, TraceID: "trace-" + id, Fingerprint: "3700285e3c8496a5",
		MaxConcurrent: 1_000_000, MaxDaily: 1_000_000, MaxAttempts: 3,
	}
}

// enqueue admits a job with default fields and returns its id.
func enqueue(t testing.TB, q *Queue, tenant string) string {
	t.Helper()
	return enqueueSub(t, q, submission(tenant, unique("job")))
}

func enqueueSub(t testing.TB, q *Queue, s Submission) string {
	t.Helper()
	if err := q.enqueue(t.Context(), s); err != nil {
		t.Fatalf("enqueue: %v", err)
	}
	return s.Spec.ID
}

// taker takes jobs in Python, which is what tests submit.
func taker(worker string) Claimer { return Claimer{Worker: worker, Languages: []string{"python"}} }

// claim takes the next job; it fails the test when none comes.
func claim(t testing.TB, q *Queue, worker string) *Lease {
	t.Helper()
	l, err := q.Claim(patience.Context(t), taker(worker))
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return l
}

// wantEmpty fails the test if a job can be claimed now.
func wantEmpty(t *testing.T, q *Queue) {
	t.Helper()
	l, _, err := q.tryClaim(t.Context(), taker("nobody"))
	if err != nil {
		t.Fatal(err)
	}
	if l != nil {
		t.Errorf("job %s can be claimed, want none", l.Job.ID)
	}
}

func get(t *testing.T, q *Queue, tenant, id string) Record {
	t.Helper()
	r, err := q.Get(t.Context(), tenant, id)
	if err != nil {
		t.Fatalf("get %s: %v", id, err)
	}
	return r
}

func wantState(t *testing.T, q *Queue, tenant, id string, want State) Record {
	t.Helper()
	r := get(t, q, tenant, id)
	if r.Status != want {
		t.Errorf("job %s is %s, want %s", id, r.Status, want)
	}
	return r
}

func wantActive(t *testing.T, q *Queue, tenant string, want int64) {
	t.Helper()
	u, err := q.Usage(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	mirror, _ := q.rdb.Get(t.Context(), q.keys.of("activeJobs", tenant)).Int64()
	if u.ActiveJobs != want || mirror != want {
		t.Errorf("tenant %s: %d active jobs, active_jobs says %d, want %d", tenant, u.ActiveJobs, mirror, want)
	}
}

// outcome is a good end with that output.
func outcome(stdout string) Outcome {
	zero := 0
	return Outcome{
		Result: job.Result{Status: job.Succeeded, Verdict: job.Exited, ExitCode: &zero, WallMs: 90, Tier: "jail",
			Steps: []job.Step{{Name: "run", Verdict: job.Exited, ExitCode: &zero, Stdout: job.Output{Data: []byte(stdout), Bytes: int64(len(stdout))}}}},
		FailureCategory: "none", EstimatedCostUsd: 0.00000027, BillableDurationMs: 90, CostModelVersion: "fargate-v1",
	}
}

// enqueue is Submit for tests that ask for nothing but whether the job was admitted.
func (q *Queue) enqueue(ctx context.Context, s Submission) error {
	_, err := q.Submit(ctx, s)
	return err
}
