// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// shell is a child that runs a script.
func shell(name, script string) child {
	return child{name: name, ready: readyAtOnce, grace: 5 * time.Second,
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

// TestRestartForever: such a child takes nothing down once it was ready, and the log has the reason of its deaths once, not at each try.
func TestRestartForever(t *testing.T) {
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
	c.restartForever, c.command = true, func() *exec.Cmd {
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

// deaths has a keeper whose child lives that long each time, for so many deaths, and returns the pauses after them.
func deaths(t *testing.T, k *keeper, n int, lives time.Duration) (pauses []time.Duration, err error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var ended time.Time
	err = k.restart(ctx, func(context.Context, bool) error {
		if !ended.IsZero() {
			pauses = append(pauses, time.Since(ended))
		}
		if len(pauses) == n {
			stop()
		}
		time.Sleep(lives)
		ended = time.Now()
		return os.ErrClosed
	})
	return pauses, err
}

// TestPauses: the pause before a restart doubles up to its bound, deaths far apart begin anew and never take the stack down, and the
// first that is one too many in a row does.
func TestPauses(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		forever bool
		n       int
		lives   time.Duration
		want    []time.Duration
		fails   bool
	}{
		{"quick", false, 20, 0, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms}, true},
		{"quick until the last moment", false, 20, quickDeath, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms}, true},
		{"far apart", false, 12, quickDeath + ms, slices.Repeat([]time.Duration{100 * ms}, 12), false},
		{"quick and for ever", true, 12, 0, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms,
			30_000 * ms, 30_000 * ms, 30_000 * ms}, false},
		{"far apart and for ever", true, 6, quickDeath + ms, slices.Repeat([]time.Duration{100 * ms}, 6), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &keeper{child: child{name: "it", restartForever: tt.forever}, log: zerolog.Nop()}
				k.output.out = io.Discard
				k.wasReady.Store(true)
				pauses, err := deaths(t, k, tt.n, tt.lives)
				if !slices.Equal(pauses, tt.want) || (err != nil) != tt.fails {
					t.Errorf("pauses %v, %v; want %v, failing %v", pauses, err, tt.want, tt.fails)
				}
			})
		})
	}
}

// TestNotYetReady: a child that would be restarted for ever takes the stack down while it was never ready.
func TestNotYetReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{child: child{name: "it", restartForever: true}, log: zerolog.Nop()}
		k.output.out = io.Discard
		if pauses, err := deaths(t, k, 20, 0); err == nil || len(pauses) != maxQuickDeaths-1 {
			t.Errorf("pauses %v, %v; want an error after %d deaths", pauses, err, maxQuickDeaths)
		}
	})
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
		c := waiting(t, name, `trap 'echo `+name+` end; exit' TERM; echo `+name, said)
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
	c := waiting(t, "deaf", "trap '' TERM; echo here", said)
	c.grace = 50 * time.Millisecond
	st := newStarter()
	defer st.close()
	k := keeper{child: c, starter: st, log: zerolog.Nop()}
	ended := make(chan error, 1)
	go func() { ended <- k.runOnce(ctx, false) }()
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

// waiting is a child that runs a script and then waits for signals, reading from a pipe that nobody writes to.
func waiting(t *testing.T, name, script string, stdout *pipe) child {
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
