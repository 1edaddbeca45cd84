// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pausing is a program that stops itself so many times, and then is another.
func pausing(times int, args ...string) Process {
	p := process(append([]string{"pause", strconv.Itoa(times)}, args...)...)
	p.MayPause = true
	p.Seccomp = notifyOf(unix.SYS_KEYCTL)
	p.Decide = func(Syscall) Answer { return Answer{Errno: unix.EPERM} }
	return p
}

// goingOn is a step as which such a program goes on.
func goingOn() Process {
	p := pausing(0)
	p.Args, p.MayPause = []string{"/ignored"}, false
	return p
}

// TestPause: what a program does before it stops itself, and after that, are two steps.
func TestPause(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	for i := range 2 {
		p := goingOn()
		if p.MayPause = true; i == 0 {
			p = pausing(2, "show", "f", "/proc/self/limits", "/dev/stdin")
		}
		r := b.runStep(t, sb, p)
		if want := "pause " + strconv.Itoa(i) + "\n"; r.Verdict != Paused || r.Exited || string(r.Stdout.Data) != want || r.Stdout.Bytes != int64(len(want)) {
			t.Fatalf("pause %d: %+v", i, r)
		}
		if len(r.Denied) != 1 || r.Denied[0].Count != 1 || r.Usage.User+r.Usage.System < 100*time.Millisecond {
			t.Errorf("pause %d: denied %v, usage %+v", i, r.Denied, r.Usage)
		}
	}
	p := goingOn()
	p.Files = []File{{Name: "f", Data: []byte(strings.Repeat("file\n", 50_000)), Mode: 0o600}}
	p.Stdin = []byte(strings.Repeat("input\n", 50_000))
	p.OutputMax = 1 << 20
	p.Rlimits = append(p.Rlimits, Rlimit{Type: unix.RLIMIT_CPU, Soft: 2, Hard: 2})
	p.Rlimits[1] = Rlimit{Type: unix.RLIMIT_NOFILE, Soft: 32, Hard: 32}
	p.CPUTime = 10 * time.Second
	r := b.runStep(t, sb, p)
	out := string(r.Stdout.Data)
	if r.Verdict != Exited || r.ExitCode != 0 || !strings.HasPrefix(out, "file\nfile\n") || !strings.HasSuffix(out, "input\n") || len(out) < 550_000 {
		t.Errorf("%.300q, %d bytes, %v, %v", out, len(out), r.Verdict, r.Evidence)
	}
	// The 200 ms before count as a second of CPU time, for the kernel counts all of the process's.
	if want := "Max cpu time              3 "; !strings.Contains(out, want) || !strings.Contains(out, "Max open files            32 ") {
		t.Errorf("limits: %.1500q", out[250_000:])
	}
	user, system, err := sb.cg.cpuTimes()
	if err != nil {
		t.Fatal(err)
	}
	if r.Denied != nil || r.Usage.User+r.Usage.System > user+system-200*time.Millisecond {
		t.Errorf("what was before is counted again: %v, %+v of %v", r.Denied, r.Usage, user+system)
	}
}

// TestPauseEnds: a program that may stop itself can do all else too.
func TestPauseEnds(t *testing.T) {
	b := requireSandbox(t)
	if r := b.run(t, pausing(0, "exit", "3")); r.Verdict != Exited || r.ExitCode != 3 {
		t.Errorf("one that ends: %+v", r)
	}
	for _, tt := range []struct {
		name   string
		args   []string
		change func(*Process)
		want   Verdict
	}{
		{"time", []string{"sleep"}, func(p *Process) { p.WallTime = 50 * time.Millisecond }, WallTime},
		{"memory", []string{"memory", "60000000"}, func(p *Process) { p.Resources.MemoryMax = 16 << 20 }, OOMKilled},
		{"CPU time", []string{"spin"}, func(p *Process) { p.CPUTime = 50 * time.Millisecond }, CPUTime},
		{"output", []string{"flood", "10000000"}, nil, OutputLimit},
		{"pause again", []string{"pause", "1"}, func(p *Process) { p.WallTime = 300 * time.Millisecond }, WallTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sb := b.sandbox(t)
			if r := b.runStep(t, sb, pausing(1, tt.args...)); r.Verdict != Paused {
				t.Fatalf("%+v", r)
			}
			p := goingOn()
			if tt.change != nil {
				tt.change(&p)
			}
			if r := b.runStep(t, sb, p); r.Verdict != tt.want || len(r.Evidence) == 0 {
				t.Errorf("verdict %v, want %v; %+v", r.Verdict, tt.want, r)
			}
		})
	}
	sb := b.sandbox(t) // files that don't fit are the job's fault, as without a pause
	if r := b.runStep(t, sb, pausing(1, "exit", "0")); r.Verdict != Paused {
		t.Fatalf("%+v", r)
	}
	many := goingOn()
	for i := range 200 {
		many.Files = append(many.Files, File{Name: strconv.Itoa(i), Mode: 0o644})
	}
	if r := b.runStep(t, sb, many); r.Verdict != StartFailed || !errors.Is(r.Err, unix.ENOSPC) {
		t.Errorf("too many files: %+v", r)
	}
	p := pausing(1, "exit", "0")
	p.MayPause, p.WallTime = false, 300*time.Millisecond
	if r := b.run(t, p); r.Verdict != WallTime {
		t.Errorf("one that may not stop itself: %+v", r)
	}
}

// TestPausedAndKilled: who is killed while it waits has not run; that is no result of the step.
func TestPausedAndKilled(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	if r := b.runStep(t, sb, pausing(1, "exit", "0")); r.Verdict != Paused {
		t.Fatalf("%+v", r)
	}
	procs, err := os.ReadFile(filepath.Join(sb.cg.at.pids, "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(procs))
	pid, err := strconv.Atoi(pids[len(pids)-1]) // the younger one
	if err != nil || len(pids) != 2 {
		t.Fatal(err, pids)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitExit(fd)
	if r, err := sb.Run(context.Background(), goingOn()); !errors.Is(err, unix.ESRCH) {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestPausedAlone: when sandbox-init is gone, what the paused program had is given back once, and not again with the sandbox.
func TestPausedAlone(t *testing.T) {
	b := requireSandbox(t)
	before := openDescriptors(t)
	sb, err := b.spawner.New(context.Background(), b.config())
	if err != nil {
		t.Fatal(err)
	}
	if r := b.runStep(t, sb, pausing(1, "exit", "0")); r.Verdict != Paused {
		t.Fatalf("%+v", r)
	}
	if err := unix.PidfdSendSignal(sb.pidfd, unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	awaitExit(sb.pidfd)
	if r, err := sb.Run(context.Background(), goingOn()); err == nil {
		t.Errorf("%+v", r)
	}
	var taken []*os.File // the numbers that are free now
	for range 8 {
		f, err := os.Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, f)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range taken {
		if err := f.Close(); err != nil {
			t.Errorf("a descriptor was closed twice: %v", err)
		}
	}
	if now := openDescriptors(t); now != before {
		t.Errorf("%d descriptors are open, %d were before", now, before)
	}
}

// TestPausedLimits: a step that may pause again does not take from the next one.
func TestPausedLimits(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	cpu := func(p Process, n uint64) Process {
		p.Rlimits = append(p.Rlimits, Rlimit{Type: unix.RLIMIT_CPU, Soft: n, Hard: n})
		return p
	}
	again := goingOn()
	again.MayPause = true
	for _, p := range []Process{cpu(pausing(2, "show", "/proc/self/limits"), unix.RLIM_INFINITY), cpu(again, 5)} {
		if r := b.runStep(t, sb, p); r.Verdict != Paused {
			t.Fatalf("%+v", r)
		}
	}
	if r := b.runStep(t, sb, cpu(goingOn(), 60)); r.Verdict != Exited || !strings.Contains(string(r.Stdout.Data), "Max cpu time              61 ") {
		t.Errorf("%+v", r)
	}
}

// TestPausedRefuses: a paused program has the filter that it has.
func TestPausedRefuses(t *testing.T) {
	b := requireSandbox(t)
	before := openDescriptors(t)
	sb, err := b.spawner.New(context.Background(), b.config())
	if err != nil {
		t.Fatal(err)
	}
	if r := b.runStep(t, sb, pausing(1, "exit", "0")); r.Verdict != Paused {
		t.Fatalf("%+v", r)
	}
	if r, err := sb.Run(context.Background(), process("exit", "0")); err == nil {
		t.Errorf("with another filter: %+v", r)
	}
	p := pausing(1)
	p.Stdin = []byte("x")
	if r, err := sb.Run(context.Background(), p); err == nil {
		t.Errorf("with an input that it can't have yet: %+v", r)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if now := openDescriptors(t); now != before {
		t.Errorf("%d descriptors are open, %d were before", now, before)
	}
}

// TestIdle: what is started for later has the CPU time that nobody else wants, until it has stopped itself, and dies as fast as others.
func TestIdle(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	idle := func() string {
		text, err := os.ReadFile(filepath.Join(sb.cg.at.cpu, "cpu.idle"))
		if errors.Is(err, os.ErrNotExist) {
			return "before Linux 5.15"
		} else if err != nil {
			t.Error(err)
		}
		return strings.TrimSpace(string(text))
	}
	without := idle()
	if without != "0" && !strings.HasPrefix(without, "before") {
		t.Fatalf("cpu.idle is %s in a new cgroup", without)
	}
	with := strings.Replace(without, "0", "1", 1)
	during := "it did not ask"
	start := pausing(1, "show", "f")
	start.Resources.Idle = true
	start.Decide = func(Syscall) Answer { during = idle(); return Answer{Errno: unix.EPERM} }
	if r := b.runStep(t, sb, start); r.Verdict != Paused || during != with || idle() != without {
		t.Errorf("%v: cpu.idle is %s while it starts, %s when it has stopped, want %s and %s", r.Verdict, during, idle(), with, without)
	}
	next := goingOn()
	next.Files = []File{{Name: "f", Mode: 0o600}}
	next.Resources.Idle = true
	if r := b.runStep(t, sb, next); r.Verdict != Exited || idle() != with {
		t.Errorf("%v, cpu.idle is %s, want %s", r.Verdict, idle(), with)
	}
	if sb.kill(); idle() != without {
		t.Errorf("cpu.idle is %s in a sandbox that was killed, want %s", idle(), without)
	}
}
