// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
)

var shared *redistest.Server // nil where redis-server is not installed

func TestMain(m *testing.M) {
	if dir := os.Getenv("CCEE_LUA"); dir != "" { // has lua/*.lua: a mutation of a script needs no new binary
		luaFiles = os.DirFS(dir)
	}
	os.Exit(redistest.Main(m, &shared))
}

var names atomic.Int64

// newQueue opens a queue that no other test uses.
func newQueue(t testing.TB, opts Options) *Queue {
	t.Helper()
	redistest.Require(t)
	opts.Name = fmt.Sprintf("test-%d", names.Add(1))
	opts.DeadLetterName = opts.Name + "-dlq"
	return openQueue(t, shared.URL(), opts)
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
