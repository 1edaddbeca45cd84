// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// The tenant of most tests: quotas and rates out of the way.
const (
	key     = "e2e-key"
	keysEnv = `TENANT_API_KEYS_JSON={"e2e-key":{"tenantId":"e2e","maxConcurrentJobs":1000,"maxDailyJobs":1000000},` +
		`"other-key":{"tenantId":"other"},"tight-key":{"tenantId":"tight","maxConcurrentJobs":1,"maxDailyJobs":2}}`
)

var upWithin, downWithin = patience.Long(), patience.Long()

// stack is one ccee up.
type stack struct {
	name    string // of its cgroup
	dir     string // everything it writes, but for the socket
	sockets string // directory of the socket: others must be able to pass it
	url     string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it is gone
	err     error         // how it ended; set before ended is closed
	lines   []string      // its stdout; complete when ended is closed
	log     *os.File
}

func (s *stack) socket() string { return filepath.Join(s.sockets, "daemon.sock") }
func (s *stack) data() string   { return filepath.Join(s.dir, "data") }

// newStack prepares directories. The data directory's parent is closed to other users, as temporary directories are.
func newStack(name string) (*stack, error) {
	s := &stack{name: name}
	var err error
	if s.dir, err = os.MkdirTemp("", name+"-"); err != nil {
		return nil, err
	}
	if s.sockets, err = os.MkdirTemp("", name+"-socket-"); err != nil {
		return nil, err
	}
	return s, os.Chmod(s.sockets, 0o755)
}

// up starts ccee up and returns when it has printed that it is ready. A setting that begins with -- is a flag, others are of the
// environment.
func (s *stack) up(settings ...string) error {
	var env, flags []string
	for _, set := range settings {
		if strings.HasPrefix(set, "--") {
			flags = append(flags, set)
		} else {
			env = append(env, set)
		}
	}
	var err error
	if s.log, err = os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return err
	}
	s.cmd = exec.Command(binary, append([]string{"up", "--listen", "127.0.0.1:0", "--data", s.data(), "--images", images(),
		"--socket", s.socket(), "--cgroup", s.name}, flags...)...)
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), keysEnv,
		"RATE_LIMIT_REQUESTS_PER_MINUTE=100000", "SUBMIT_RATE_LIMIT_PER_MINUTE=100000"}, env...)
	s.cmd.Stderr = s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	first, ended := make(chan string, 1), make(chan struct{})
	s.ended, s.lines = ended, nil
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if s.lines = append(s.lines, lines.Text()); len(s.lines) == 1 {
				first <- lines.Text()
			}
		}
		s.err = s.cmd.Wait()
		close(ended)
	}()
	select {
	case line := <-first:
		url, ok := strings.CutPrefix(line, "ready ")
		if !ok {
			return fmt.Errorf("the first line on stdout is %q, not ready URL", line)
		}
		s.url = url
		return nil
	case <-s.ended:
		return fmt.Errorf("ccee up ended before it was ready: %v\n%s", s.err, s.logged())
	case <-time.After(upWithin):
		_ = s.cmd.Process.Kill()
		return fmt.Errorf("ccee up was not ready within %v\n%s", upWithin, s.logged())
	}
}

// down asks the stack to stop, as a user does, and returns how it ended.
func (s *stack) down() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("signal ccee up: %w", err)
	}
	select {
	case <-s.ended:
		return s.err
	case <-time.After(downWithin):
		_ = s.cmd.Process.Kill()
		return fmt.Errorf("ccee up did not stop within %v\n%s", downWithin, s.logged())
	}
}

// remove deletes what the stack wrote.
func (s *stack) remove() {
	_ = os.RemoveAll(s.dir)
	_ = os.RemoveAll(s.sockets)
}

// logged returns the end of the log.
func (s *stack) logged() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-8000):])
}

// cgroupName is of this run alone: two may share the machine.
func cgroupName(of string) string { return fmt.Sprintf("ccee-e2e-%d-%s", os.Getpid(), of) }

// ownStack starts a stack for one test and stops it at the test's end.
func ownStack(t *testing.T, env ...string) *stack {
	t.Helper()
	requireHost(t)
	s, err := newStack(cgroupName(strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-s.ended:
		default:
			if err := s.down(); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		if t.Failed() {
			t.Logf("the end of the log:\n%s", s.logged())
		}
		s.remove()
	})
	if err := s.up(env...); err != nil {
		s.ended = closed(s.ended)
		t.Fatal(err)
	}
	return s
}

// closed makes the cleanup pass over a stack that never came up.
func closed(c chan struct{}) chan struct{} {
	if c == nil {
		c = make(chan struct{})
		close(c)
	}
	return c
}

// sharedStack is the one that most tests use: starting one costs a second.
type sharedStack struct {
	once sync.Once
	s    *stack
	err  error
}

var shared sharedStack

func sharedUp(t *testing.T) *stack {
	t.Helper()
	requireHost(t)
	shared.once.Do(func() {
		if shared.s, shared.err = newStack(cgroupName("shared")); shared.err == nil {
			shared.err = shared.s.up()
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.s
}

func (s *sharedStack) stop() {
	if s.s == nil {
		return
	}
	if s.err == nil {
		if err := s.s.down(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the shared stack:", err)
		}
	}
	s.s.remove()
}
