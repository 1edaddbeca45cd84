// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFileLocks: locks, which the kernel charges to nobody, end who has too many, whoever of its processes took them, and nobody else. What
// is judged is the kernel's own count.
func TestFileLocks(t *testing.T) {
	b := requireSandbox(t)
	const want = 400_000 // 77 MB and more
	for _, how := range []string{"plain", "dead", "thread", "flock"} {
		t.Run(how, func(t *testing.T) {
			cfg, p := roomy(b.config(), 64<<20, "locks", "plain", "1000") // a neighbour with as many as a database has
			neighbour, holds, ended := b.sandboxOf(t, cfg), make(chan struct{}), make(chan Result, 1)
			p.OnOutput = func(Chunk, []byte) { close(holds) }
			go func() { ended <- b.runStep(t, neighbour, p) }()
			<-holds
			before, stop := b.peakOfLocks(t)
			cfg, p = roomy(b.config(), 64<<20, "locks", how, fmt.Sprint(want))
			p.WallTime = slow(10 * time.Second) // long enough to take all that it wants
			r := b.runIn(t, cfg, p)
			peak := stop() - before
			t.Logf("%d locks more on the host, CPU time %v, %+v", peak, r.Usage.User+r.Usage.System, r.Evidence)
			if r.Verdict != OOMKilled || len(r.Evidence) == 0 || r.Evidence[0].Source != "file locks" || r.Evidence[0].Value <= locksMost {
				t.Errorf("%q, %+v, want OOMKilled for its locks", r.Stdout.Data, r)
			}
			if peak > want*2/3 {
				t.Errorf("%d locks more on the host, want far below the %d that it wanted", peak, want)
			}
			select {
			case r := <-ended:
				t.Errorf("the neighbour ended: %+v", r)
			default:
				neighbour.kill()
				<-ended
			}
		})
	}
}

// peakOfLocks says how many locks the host has, and then the most that it had until stop is called.
func (b *box) peakOfLocks(t *testing.T) (now int64, stop func() int64) {
	t.Helper()
	f, err := os.Open(lockObjects)
	if err != nil {
		t.Fatal(err)
	}
	now = firstNumber(f)
	quit, peak := make(chan struct{}), make(chan int64)
	go func() {
		defer f.Close()
		most := now
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				most = max(most, firstNumber(f))
			case <-quit:
				tick.Stop()
				peak <- most
				return
			}
		}
	}()
	return now, func() int64 { close(quit); return <-peak }
}

// TestLocksCostNothing: a program that takes and gives back locks has no more to do in a sandbox than one that makes other calls.
func TestLocksCostNothing(t *testing.T) {
	b := requireSandbox(t)
	best := func(run func() time.Duration) time.Duration { return min(run(), run(), run()) }
	ratio := func(args ...string) float64 {
		outside := best(func() time.Duration {
			cmd := exec.Command(filepath.Join(b.root, "prog"), args...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		})
		inside := best(func() time.Duration {
			r := b.run(t, process(args...))
			if r.Verdict != Exited || r.ExitCode != 0 {
				t.Fatalf("%+v", r)
			}
			return r.Usage.User + r.Usage.System
		})
		t.Logf("%v: CPU time inside %v, outside %v", args, inside, outside)
		return float64(inside) / float64(outside)
	}
	calls, locks := ratio("call", strconv.Itoa(unix.SYS_FCNTL), "400000", "1"), ratio("relock", "100000")
	if locks > 2*max(1, calls) {
		t.Errorf("locks take %.2f times the CPU time in a sandbox, other calls %.2f times", locks, calls)
	}
}

// TestLocksLookedFor: it is looked when the host's count has grown, or is not known, and again only when it has grown anew.
func TestLocksLookedFor(t *testing.T) {
	var l lockWatch
	for i, tt := range []struct {
		count int64
		grown bool
	}{{100, false}, {locksGrowth, false}, {locksGrowth + 1, true}, {locksGrowth + 2, false}, {50, false}, {50 + locksGrowth, false}, {51 + locksGrowth, true}, {-1, true}} {
		got := l.grown(tt.count)
		if got != tt.grown {
			t.Errorf("step %d: grown(%d) = %v", i, tt.count, got)
		}
		if got {
			l.base = tt.count
		}
	}
}

// The lists are those of proc_pid_fdinfo(5).
func TestCountLocks(t *testing.T) {
	dir := t.TempDir()
	list := "pos:\t0\nflags:\t0100002\nmnt_id:\t13\nino:\t5\n" + strings.Repeat("lock:\t1: POSIX  ADVISORY  WRITE 7 00:2b:5 0 0\n", 3) + "lock:\t4: FLOCK  ADVISORY  WRITE 7 00:2b:5 0 EOF\n"
	if err := os.WriteFile(filepath.Join(dir, "3"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "4"), []byte("pos:\t0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var h held
	h.add(dir)
	h.add(dir + "/none")
	if h != (held{4, 2}) {
		t.Errorf("held %+v, want 4 locks of 2 descriptors", h)
	}
}
