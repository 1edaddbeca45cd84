// SPDX-License-Identifier: Apache-2.0

package handoff

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// redisURL is that of the tests' own redis-server; "" where it is not installed. TestMain sets it before any test runs.
var redisURL string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "handoff-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(strings.ToLower(lines.Text()), "ready to accept connections at") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			redisURL = "unix://" + socket
			return m.Run()
		}
	}
	fmt.Fprintln(os.Stderr, "redis-server ended")
	return 1
}

var names atomic.Int64

// newStore returns a store that no other test uses.
func newStore(t testing.TB) *Store {
	t.Helper()
	if redisURL == "" {
		const why = "redis-server is not installed: apt-get install redis-server"
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	name := fmt.Sprintf("test-%d", names.Add(1))
	q, err := queue.Open(redisURL, queue.Options{Name: name, DeadLetterName: name + "-dlq"})
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
