// SPDX-License-Identifier: Apache-2.0

// Package redistest runs redis-server for tests, on a unix socket: one for a whole package (Main), or one for a single test (New,
// NewDurable), which can be killed and started again. Only tests import it.
package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// Server is a redis-server with a directory of its own.
type Server struct {
	dir     string
	durable bool
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process has been waited for
}

// Main is the body of a package's TestMain: it runs the tests with a server that they share, which *shared points to from before the first
// test on, and returns their exit code. Without redis-server *shared stays nil, and Require deals with that.
func Main(m *testing.M, shared **Server) int {
	if !installed() {
		return m.Run()
	}
	s, err := start(false)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.remove()
	*shared = s
	return m.Run()
}

// Require skips the test where redis-server is not installed, or fails it with SANDBOX_MUST_WORK=1.
func Require(t testing.TB) {
	t.Helper()
	if installed() {
		return
	}
	const why = "redis-server is not installed: make deps"
	if os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func installed() bool {
	_, err := exec.LookPath("redis-server")
	return err == nil
}

// New starts a server for one test, which ends with it. It keeps nothing on disk.
func New(t testing.TB) *Server {
	t.Helper()
	return newServer(t, false)
}

// NewDurable is New with a server that has each write on disk before it answers, so that none is lost when it is killed.
func NewDurable(t testing.TB) *Server {
	t.Helper()
	return newServer(t, true)
}

func newServer(t testing.TB, durable bool) *Server {
	t.Helper()
	Require(t)
	s, err := start(durable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

func start(durable bool) (*Server, error) {
	dir, err := os.MkdirTemp("", "redis") // shorter than t.TempDir: a socket's path has 107 bytes at most
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, durable: durable}
	if err := s.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// Socket returns the path of the server's unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, "redis.sock") }

// URL returns what queue.Open takes.
func (s *Server) URL() string { return "unix://" + s.Socket() }

// Start starts a killed server again and returns when it answers. Half a transaction at the end of its file is cut off before, as ccee up
// does.
func (s *Server) Start() error {
	if err := s.repair(); err != nil {
		return err
	}
	args := []string{"--port", "0", "--unixsocket", s.Socket(), "--dir", s.dir, "--save", "", "--appendonly", "no"}
	if s.durable { // with everysec it may answer before it writes, and a kill takes that back
		args = append(args[:len(args)-1], "yes", "--appendfsync", "always")
	}
	var out bytes.Buffer
	s.cmd, s.ended = exec.Command("redis-server", args...), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	if err := s.answers(); err != nil {
		s.Kill()
		return fmt.Errorf("%w\n%s", err, &out)
	}
	return nil
}

func (s *Server) repair() error {
	manifest := filepath.Join(s.dir, "appendonlydir", "appendonly.aof.manifest")
	if _, err := os.Stat(manifest); err != nil {
		return nil // the first start, or nothing is kept
	}
	check := exec.Command("redis-check-aof", "--fix", manifest)
	check.Stdin = strings.NewReader("y\ny\ny\n")
	if out, err := check.CombinedOutput(); err != nil {
		return fmt.Errorf("redis-check-aof: %w\n%s", err, out)
	}
	return nil
}

// answers returns when the server does: while it reads its file it accepts connections and refuses commands.
func (s *Server) answers() error {
	tick, late := time.NewTicker(5*time.Millisecond), time.NewTimer(patience.Long())
	defer tick.Stop()
	defer late.Stop()
	for {
		err := s.ping()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return errors.New("redis-server ended before it answered")
		case <-late.C:
			return fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
}

func (s *Server) ping() error {
	c, err := net.Dial("unix", s.Socket())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience.Long())); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 128)
	n, err := c.Read(answer)
	if err == nil && string(answer[:n]) != "+PONG\r\n" {
		err = errors.New(strings.TrimSpace(string(answer[:n])))
	}
	return err
}

// Kill kills the server as a crash does, and returns when it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// remove is the end of the server and of all that it kept.
func (s *Server) remove() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// Do runs one command by redis-cli and returns its answer. It fails the test when Redis refuses the command.
func (s *Server) Do(t testing.TB, command ...string) string {
	t.Helper()
	cmd := exec.Command("redis-cli", append([]string{"-e", "-s", s.Socket()}, command...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %q: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}
