// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"

	"golang.org/x/sys/unix"
)

// TestExitCodes runs a program for each exit code, four at a time.
func TestExitCodes(t *testing.T) {
	s := sharedUp(t)
	parallel(256, 4, func(code int) {
		r, err := s.direct("exit", code, fmt.Sprintf("import os; os._exit(%d)", code), job.MaxLimits.WallMs)
		if err != nil {
			t.Errorf("exit %d: %v", code, err)
			return
		}
		if r.Verdict != job.Exited || r.ExitCode == nil || *r.ExitCode != code || r.Signal != "" || (r.Status == job.Succeeded) != (code == 0) {
			t.Errorf("exit %d: got %s %s, exit code %v, signal %q", code, r.Status, r.Verdict, r.ExitCode, r.Signal)
		}
	})
}

// TestSignals ends a program by each signal. Those that do nothing by default don't, and a stopped one runs out of time.
func TestSignals(t *testing.T) {
	s := sharedUp(t)
	// The last three stop a process only when its parent is of the same session, which sandbox-init is not: setpgid(2).
	harmless := map[unix.Signal]bool{unix.SIGCHLD: true, unix.SIGURG: true, unix.SIGWINCH: true, unix.SIGCONT: true,
		unix.SIGTSTP: true, unix.SIGTTIN: true, unix.SIGTTOU: true}
	verdicts := map[unix.Signal]job.Verdict{unix.SIGXFSZ: job.FileSize}
	parallel(31, 4, func(n int) {
		sig, wall := unix.Signal(n+1), job.MaxLimits.WallMs
		if sig == unix.SIGSTOP {
			wall = 1500 * patience.Slowness()
		}
		r, err := s.direct("signal", int(sig), fmt.Sprintf(`import os, signal
n = %d
if n not in (signal.SIGKILL, signal.SIGSTOP): signal.signal(n, signal.SIG_DFL)
print("before", flush=True)
os.kill(os.getpid(), n)
print("after")`, sig), wall)
		name := unix.SignalName(sig)
		want, signal, out := job.Signaled, name, "before\n"
		switch v, special := verdicts[sig]; {
		case harmless[sig]:
			want, signal, out = job.Exited, "", "before\nafter\n"
		case sig == unix.SIGSTOP:
			want, signal = job.WallTime, "SIGKILL"
		case special:
			want = v
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if got := string(r.Last().Stdout.Data); r.Verdict != want || r.Signal != signal || got != out {
			t.Errorf("%s: got %s, signal %q, stdout %q; want %s, %q, %q", name, r.Verdict, r.Signal, got, want, signal, out)
		}
	})
}

// direct runs a Python program through the daemon's socket.
func (s *stack) direct(kind string, n int, source string, wall int64) (job.Result, error) {
	return client.New(s.socket()).Run(context.Background(), job.Spec{
		ID: fmt.Sprintf("%s-%d", kind, n), Language: "python", Source: source, Run: job.Limits{WallMs: wall, CPUMillicores: 1000},
	})
}

// parallel calls f with 0 to n-1, width at a time.
func parallel(n, width int, f func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range width {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
