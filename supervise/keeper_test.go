package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// shell is a child that runs a script.
func shell(name, script string) child {
	return child{name: name, ready: atOnce, grace: 5 * time.Second,
		command: func() *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }}
}

// TestQuickDeaths: a child that can't live takes the stack down and says why.
func TestQuickDeaths(t *testing.T) {
	s := newStack(zerolog.Nop())
	defer s.stop()
	if err := s.start(t.Context(), shell("broken", "exit 3")); err != nil {
		t.Fatal(err)
	}
	err := s.wait(t.Context())
	if err == nil || !strings.Contains(err.Error(), "broken died 5 times in a row within 5s of its start, last with: exit status 3") {
		t.Errorf("got %v", err)
	}
}

// TestPatient: one that may be away takes nothing down once it was ready, and says why it dies once, not at each try.
func TestPatient(t *testing.T) {
	said := newPipe(t)
	var log syncBuffer
	s := newStack(zerolog.New(&log))
	defer s.stop()
	why := filepath.Join(t.TempDir(), "why")
	if err := os.WriteFile(why, []byte("first reason\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := shell("broken", "echo try $$; cat "+why+"; exit 3")
	command := c.command
	c.patient, c.command = true, func() *exec.Cmd {
		cmd := command()
		cmd.Stdout, cmd.Stderr = said.File, said.File
		return cmd
	}
	tries := make(chan struct{}, 100)
	c.prepare = func() *exec.Cmd { tries <- struct{}{}; return nil }
	if err := s.start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for range maxQuickDeaths + 1 {
		patience.Receive(t, tries, "it is started again")
	}
	select {
	case err := <-s.fatal:
		t.Fatal(err)
	default:
	}
	if err := os.WriteFile(why, []byte("second reason\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reasons := map[string]int{}
	for reasons["second reason"] == 0 {
		reasons[said.line(t)]++
	}
	if reasons["first reason"] < 1 || reasons["first reason"] > 2 {
		t.Errorf("of %d tries, %d said why: %v", maxQuickDeaths+1, reasons["first reason"], reasons)
	}
	if n := strings.Count(log.String(), "child died"); n > 3 {
		t.Errorf("the log has %d deaths:\n%s", n, log.String())
	}
}

// TestNeverReady: the reason of the death comes out of start, not a time-out.
func TestNeverReady(t *testing.T) {
	s := newStack(zerolog.Nop())
	defer s.stop()
	c := shell("broken", "exit 3")
	c.ready = func(context.Context) error { return os.ErrNotExist }
	if err := s.start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}

// TestStopOrder: the last started is stopped first, and each has ended before the next is asked to.
func TestStopOrder(t *testing.T) {
	said := newPipe(t)
	s := newStack(zerolog.Nop())
	for _, name := range []string{"first", "second", "third"} {
		c := patient(t, name, `trap 'echo `+name+` end; exit' TERM; echo `+name, said)
		if err := s.start(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got := said.line(t); got != name { // now its trap is set
			t.Fatalf("got %q, want %q", got, name)
		}
	}
	s.stop()
	for _, want := range []string{"third end", "second end", "first end"} {
		if got := said.line(t); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestGrace: a child that ignores SIGTERM is killed.
func TestGrace(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	said := newPipe(t)
	c := patient(t, "deaf", "trap '' TERM; echo here", said)
	c.grace = 50 * time.Millisecond
	st := newStarter()
	defer st.close()
	k := keeper{child: c, starter: st, log: zerolog.Nop()}
	ended := make(chan error, 1)
	go func() { ended <- k.once(ctx, false) }()
	said.line(t)
	cancel()
	if err := patience.Receive(t, ended, "the child is gone"); err == nil || err.Error() != "signal: killed" {
		t.Errorf("it ended with %v, want signal: killed", err)
	}
}

// pipe carries what children say.
type pipe struct {
	*os.File
	lines *bufio.Scanner
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return &pipe{w, bufio.NewScanner(r)}
}

func (p *pipe) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("nothing more is said: %v", p.lines.Err())
	}
	return p.lines.Text()
}

// patient is a child that runs a script and then waits for signals, reading from a pipe that nobody writes to.
func patient(t *testing.T, name, script string, stdout *pipe) child {
	t.Helper()
	stdin, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		hold.Close()
	})
	c := shell(name, script+"; while :; do read x; done")
	command := c.command
	c.command = func() *exec.Cmd {
		cmd := command()
		cmd.Stdin, cmd.Stdout = stdin, stdout.File
		return cmd
	}
	return c
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
