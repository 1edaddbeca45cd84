// SPDX-License-Identifier: Apache-2.0

package handoff

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

var shared *redistest.Server // nil where redis-server is not installed

func TestMain(m *testing.M) { os.Exit(redistest.Main(m, &shared)) }

var names atomic.Int64

// newStore returns a store that no other test uses.
func newStore(t testing.TB) *Store {
	t.Helper()
	redistest.Require(t)
	name := fmt.Sprintf("test-%d", names.Add(1))
	q, err := queue.Open(shared.URL(), queue.Options{Name: name, DeadLetterName: name + "-dlq"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); _ = q.Close() })
	return s
}

const (
	nonce = "0123456789abcdef"
	other = "fedcba9876543210"
)

func spec(id string, attempt int) job.Spec {
	return job.Spec{ID: id, Tenant: "tenant-a", Attempt: attempt, Language: "python", Source: "print('" + id + "')"}
}

func offer(t testing.TB, s *Store, id string, attempt int) *Offer {
	t.Helper()
	o, err := s.Offer(t.Context(), spec(id, attempt))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// good is the report of a program that exited with 0.
func good() job.Report {
	zero := 0
	return job.Report{Result: &job.Result{Status: job.Succeeded, Verdict: job.Exited, ExitCode: &zero, WallMs: 1, Tier: "task"}}
}
