// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// part is a process of its own: ccee daemon, worker or api, or a redis-server.
type part struct {
	name string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// startPart starts a process and asks it to end at the test's end, which must be an orderly one.
func startPart(t *testing.T, env []string, path string, args ...string) *part {
	t.Helper()
	p := &part{name: args[0], cmd: exec.Command(path, args...)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append([]string{"PATH=" + os.Getenv("PATH")}, env...), &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.stop(t)
		}
		if t.Failed() {
			t.Logf("the log of %s:\n%s", p.name, p.log.String())
		}
	})
	return p
}

func (p *part) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(patience.Long(), func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%s ended with %v, want exit code 0", p.name, err)
	}
}

// freePort returns a port that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestParts runs the parts alone, from one environment, and stops Redis meanwhile.
func TestParts(t *testing.T) {
	requireHost(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-parts-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	env := []string{"REDIS_URL=unix://" + filepath.Join(dir, "redis.sock"), "CCEE_SOCKET=" + filepath.Join(dir, "daemon.sock"), "CCEE_IMAGES=" + images()}
	s := &stack{url: "http://" + freePort(t), name: cgroupName("parts")}
	startPart(t, env, binary, "daemon", "--cgroup", s.name)
	startPart(t, env, binary, "worker")
	startPart(t, env, binary, "api", "--dev", "--listen", strings.TrimPrefix(s.url, "http://"))

	// No Redis: alive, not ready, and a submission is refused rather than left hanging.
	eventually(t, "the api lives", 10*time.Second, s.answers("/health", 200))
	s.wantUnavailable(t)

	redis := func() *part {
		return startPart(t, nil, "redis-server", "--port", "0", "--unixsocket", filepath.Join(dir, "redis.sock"),
			"--dir", dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	}
	first := redis()
	eventually(t, "the api is ready with Redis", 30*time.Second, s.answers("/ready", 200))
	s.wantHello(t)

	first.stop(t)
	s.wantUnavailable(t)
	redis()
	eventually(t, "the api is ready again", 30*time.Second, s.answers("/ready", 200))
	s.wantHello(t)
}

// answers is a condition: GET path has that status.
func (s *stack) answers(path string, want int) func() (bool, string) {
	return func() (bool, string) {
		status, body, err := s.request("GET", path, "", nil)
		if err != nil {
			return false, err.Error()
		}
		return status == want, string(body)
	}
}

func (s *stack) wantUnavailable(t *testing.T) {
	t.Helper()
	began := time.Now()
	status, answer, err := s.request("POST", "/v1/jobs", "dev-local-key", python("print(1)"))
	if err != nil || status != 503 || time.Since(began) > slow(10*time.Second) {
		t.Errorf("POST without Redis: %d %s %v after %v, want 503 within %v", status, answer, err, time.Since(began), slow(10*time.Second))
	}
	if ok, body := s.answers("/health", 200)(); !ok {
		t.Errorf("GET /health without Redis: %s", body)
	}
	eventually(t, "GET /ready, which may be a second old, says that Redis is away", 10*time.Second, s.answers("/ready", 503))
}

// slow returns how long that takes on this machine.
func slow(d time.Duration) time.Duration { return time.Duration(patience.Slowness()) * d }

func (s *stack) wantHello(t *testing.T) {
	t.Helper()
	status, answer, err := s.request("POST", "/v1/jobs?waitMs=30000", "dev-local-key", python("print('hello')"))
	var j jobObject
	if err == nil {
		err = json.Unmarshal(answer, &j)
	}
	if err != nil || status != 200 || j.Result == nil || j.Result.Stdout != "hello\n" {
		t.Errorf("POST: %d %s %v, want hello", status, answer, err)
	}
}
