// SPDX-License-Identifier: Apache-2.0

package submit

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

	"github.com/ccee-dev/ccee/queue"
)

// redisURL is that of the tests' own redis-server; "" where it is not installed.
var redisURL string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "submit-test")
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
		fmt.Fprintln(os.Stderr, "start redis-server:", err)
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
	fmt.Fprintln(os.Stderr, "redis-server ended before it was ready")
	return 1
}

var names atomic.Int64

// newQueue opens a queue of the test's own.
func newQueue(t testing.TB) *queue.Queue {
	t.Helper()
	if redisURL == "" {
		const why = "redis-server is not installed: apt-get install redis-server"
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	name := fmt.Sprint("queue-", names.Add(1))
	q, err := queue.Open(redisURL, queue.Options{Name: name, DeadLetterName: name + "-dlq"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}
