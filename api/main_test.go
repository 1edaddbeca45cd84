// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

var shared *redistest.Server // nil where redis-server is not installed

func TestMain(m *testing.M) { os.Exit(redistest.Main(m, &shared)) }

var names atomic.Int64

// unique makes a name that no other test uses.
func unique(s string) string { return fmt.Sprintf("%s-%d", s, names.Add(1)) }

// newQueue opens a queue of the test's own.
func newQueue(t testing.TB) *queue.Queue {
	t.Helper()
	redistest.Require(t)
	name := unique("queue")
	q, err := queue.Open(shared.URL(), queue.Options{Name: name, DeadLetterName: name + "-dlq"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// languages are what the tests' worker announces.
var languages = []job.Language{
	{
		Name: "java", DisplayName: "Java", Version: "25.0.3", SourceFile: "Main.java", PublicClass: true,
		Compile: []string{"/opt/jdk/bin/javac", "{source}"}, Run: []string{"/opt/jdk/bin/java", "-Xmx{memory75MiB}m", "{class}"},
		DefaultRun: job.Limits{MemoryBytes: 256 * job.MiB}, MinRun: job.Limits{MemoryBytes: 96 * job.MiB},
	},
	{Name: "python", Aliases: []string{"py"}, DisplayName: "Python", Version: "3.13.5", SourceFile: "main.py",
		Run: []string{"/usr/bin/python3", "{source}"}, Image: "sha256:" + strings.Repeat("ab", 32)},
	{Name: "javascript", Aliases: []string{"js"}, DisplayName: "Node.js", Version: "24.16.0", SourceFile: "main.js",
		Run: []string{"/usr/bin/node", "{source}"}},
}

func announce(t testing.TB, q *queue.Queue, ttl time.Duration, langs []job.Language) {
	t.Helper()
	if err := q.PublishRuntimes(context.Background(), "worker-1", langs, ttl); err != nil {
		t.Fatal(err)
	}
}

// consume runs a worker that finishes every job as run says, until the test ends.
func consume(t testing.TB, q *queue.Queue, run func(job.Spec) job.Result) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			lease, err := q.Claim(ctx, queue.Claimer{Worker: "worker-1", Languages: []string{"java", "javascript", "python"}})
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("claim: %v", err)
				}
				return
			}
			if err := complete(lease, run(lease.Job)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); patience.Receive(t, done, "the worker ends") })
}

// claim takes the one job that waits.
func claim(t testing.TB, q *queue.Queue) *queue.Lease {
	t.Helper()
	lease, err := q.Claim(patience.Context(t), queue.Claimer{Worker: "worker-1", Languages: []string{"java", "javascript", "python"}})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// delay leaves a job that waits for its next attempt.
func delay(t testing.TB, s *stack) {
	t.Helper()
	id := s.submit(`{"language":"python","sourceCode":"x","priority":"high"}`)
	lease := claim(t, s.queue)
	if lease.Job.ID != id {
		t.Fatalf("claimed %s, want %s", lease.Job.ID, id)
	}
	if state, err := lease.Retry(context.Background(), queue.Fault{Message: "x", Cause: "x"}); err != nil || state != queue.Retrying {
		t.Fatalf("retry: %s, %v", state, err)
	}
}

// bury leaves a dead-lettered job.
func bury(t testing.TB, s *stack) {
	t.Helper()
	spec := job.Spec{ID: unique("buried"), Tenant: s.tenant, Language: "python", Source: "x"}
	if _, err := s.queue.Submit(t.Context(), queue.Submission{Spec: spec, Priority: queue.High, MaxAttempts: 1, MaxConcurrent: 1000, MaxDaily: 1000}); err != nil {
		t.Fatal(err)
	}
	lease := claim(t, s.queue)
	if lease.Job.ID != spec.ID {
		t.Fatalf("claimed %s, want %s", lease.Job.ID, spec.ID)
	}
	if state, err := lease.Retry(context.Background(), queue.Fault{Message: "x", Cause: "x"}); err != nil || state != queue.Failed {
		t.Fatalf("retry: %s, %v", state, err)
	}
}

func complete(lease *queue.Lease, r job.Result) error {
	return lease.Complete(context.Background(), queue.Outcome{
		Result: r, FailureCategory: "none", EstimatedCostUsd: 2.7e-7, BillableDurationMs: 90, CostModelVersion: "fargate-v1",
	})
}

// exited is the result of a program that ran for 41.6 ms, printed out and ended with code.
func exited(code int, out string) job.Result {
	status := job.Succeeded
	if code != 0 {
		status = job.Failed
	}
	run := job.Step{
		Name: "run", Verdict: job.Exited, ExitCode: &code,
		Stdout: job.Output{Data: []byte(out), Bytes: int64(len(out))},
		Usage:  job.Usage{WallMs: 40.2, CPUUserMs: 11, CPUSystemMs: 3, MemoryPeakBytes: 9 * job.MiB, PidsPeak: 1},
		Limits: job.DefaultRun, Evidence: []job.Evidence{{Source: "wait status", Value: int64(code)}},
	}
	return job.Result{Status: status, Verdict: job.Exited, ExitCode: &code, WallMs: 41.6, Steps: []job.Step{run}, Tier: "jail",
		Image: "sha256:" + strings.Repeat("ab", 32)}
}
