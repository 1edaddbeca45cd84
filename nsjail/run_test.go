// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProcessCheck holds each bound of a Process: what is at it is taken, one more or less is refused.
func TestProcessCheck(t *testing.T) {
	cfg := (&box{}).config()
	fill := func(n int) []string { return make([]string, n) }
	for _, tt := range []struct {
		name   string
		change func(*Process)
		ok     bool
	}{
		{"as it is", func(*Process) {}, true},
		{"no arguments", func(p *Process) { p.Args = nil }, false},
		{"most arguments", func(p *Process) { p.Args = fill(stringsMax - 1) }, true},
		{"too many arguments", func(p *Process) { p.Args = fill(stringsMax) }, false},
		{"most variables", func(p *Process) { p.Env = fill(stringsMax - 1) }, true},
		{"too many variables", func(p *Process) { p.Env = fill(stringsMax) }, false},
		{"most rlimits", func(p *Process) { p.Rlimits = make([]Rlimit, rlimitsMax) }, true},
		{"too many rlimits", func(p *Process) { p.Rlimits = make([]Rlimit, rlimitsMax+1) }, false},
		{"no filter", func(p *Process) { p.Seccomp = nil }, false},
		{"no wall time", func(p *Process) { p.WallTime = 0 }, false},
		{"no CPU time", func(p *Process) { p.CPUTime = 0 }, false},
		{"no output", func(p *Process) { p.OutputMax = 0 }, false},
		{"no flood", func(p *Process) { p.FloodMax = 0 }, false},
		{"all is tail", func(p *Process) { p.OutputTail = p.OutputMax }, true},
		{"more tail than output", func(p *Process) { p.OutputTail = p.OutputMax + 1 }, false},
		{"negative tail", func(p *Process) { p.OutputTail = -1 }, false},
		{"no memory", func(p *Process) { p.Resources.MemoryMax = 0 }, false},
		{"no processes", func(p *Process) { p.Resources.PidsMax = 0 }, false},
		{"no CPU", func(p *Process) { p.Resources.CPUMillicores = 0 }, false},
		{"may pause", func(p *Process) { p.MayPause = true }, true},
		{"may pause, with input", func(p *Process) { p.MayPause, p.Stdin = true, []byte("x") }, false},
		{"may pause, in order", func(p *Process) { p.MayPause, p.Interleave = true, true }, false},
		{"root inside", func(p *Process) { p.UID, p.GID = 0, 0 }, true},
		{"uid that is not mapped", func(p *Process) { p.UID = 1001 }, false},
		{"gid that is not mapped", func(p *Process) { p.GID = 999 }, false},
	} {
		p := process()
		tt.change(&p)
		if err := p.check(cfg); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestHostID(t *testing.T) {
	maps := []IDMap{{ContainerID: 0, HostID: 5000, Size: 1}, {ContainerID: 1000, HostID: 6000, Size: 10}}
	for id, want := range map[uint32]int{0: 5000, 1: -1, 999: -1, 1000: 6000, 1009: 6009, 1010: -1} {
		if got := hostID(maps, id); got != want {
			t.Errorf("host id of %d is %d, want %d", id, got, want)
		}
	}
}

// TestUsageOfAStep: what one step used is not the next one's.
func TestUsageOfAStep(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	if err := sb.Ready(); err != nil {
		t.Fatal(err)
	}
	p := process("memory", "30000000")
	p.Files = []File{{Name: "f", Data: make([]byte, 1<<20), Mode: 0o644}} // makes sandbox-init work, which is not counted
	if r := b.runStep(t, sb, p); r.Verdict != Exited || r.Usage.MemoryPeak < 30_000_000-batch() {
		t.Fatalf("first: %+v", r)
	}
	if r := b.runStep(t, sb, process("burn", "300", "1")); r.Verdict != Exited || r.Usage.User+r.Usage.System < 290*time.Millisecond {
		t.Fatalf("second: %+v", r)
	}
	r := b.runStep(t, sb, process())
	if cpu := r.Usage.User + r.Usage.System; r.Verdict != Exited || cpu > 200*time.Millisecond {
		t.Errorf("third: %+v, CPU time %v, want that of a program that does nothing", r.Verdict, cpu)
	}
	if sb.cg.at.v2() && sb.cg.peak == nil {
		return // before Linux 6.12 there a peak can't be reset
	}
	if r.Usage.MemoryPeak > 20_000_000 {
		t.Errorf("third: peak %d, want that of a program that does nothing", r.Usage.MemoryPeak)
	}
}

// TestOOMKillOfAChild: whatever became of the rest, after the kernel has killed for memory nothing runs in the sandbox any more. The event
// that has us kill the rest, on v1, is left out here.
func TestOOMKillOfAChild(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	event := sb.cg.oom
	sb.cg.oom = nil
	defer func() { sb.cg.oom = event }()
	r := b.runStep(t, sb, process("outlive", "anon", "100000000"))
	if r.Verdict != OOMKilled || !strings.Contains(r.Evidence[0].Source, "oom_kill") {
		t.Errorf("%+v", r)
	}
	if !sb.cg.at.v2() && (!r.Exited || string(r.Stdout.Data) != "outlived\n") {
		t.Errorf("the parent: %+v, %q", r, r.Stdout.Data)
	}
	if _, err := sb.Run(t.Context(), process()); err != ErrDead {
		t.Errorf("the next step: %v, want ErrDead", err)
	}
}

// TestCPUCheck: the first moment at which CPU time can be used up, by how many cores the program may use.
func TestCPUCheck(t *testing.T) {
	p := process()
	for _, tt := range []struct {
		millicores int64
		left, want time.Duration
	}{
		{1000, time.Second, time.Second}, {500, time.Second, 2 * time.Second}, {100, time.Millisecond, 10 * time.Millisecond},
		{1000, 0, time.Millisecond}, {1000, time.Microsecond, time.Millisecond},
	} {
		p.Resources.CPUMillicores = tt.millicores
		if got := cpuCheck(p, tt.left); got != tt.want {
			t.Errorf("%v left at %d millicores: looked at after %v, want %v", tt.left, tt.millicores, got, tt.want)
		}
	}
	p.Resources.CPUMillicores = 1_000_000 // more than any machine has
	if got, want := cpuCheck(p, time.Hour), time.Hour/time.Duration(runtime.NumCPU()); got != want {
		t.Errorf("an hour left on all cores: looked at after %v, want %v", got, want)
	}
}

// TestLimitedRlimits: a program that goes on gets rlimits by what it has used, and keeps hard limits for as long as it may pause again.
func TestLimitedRlimits(t *testing.T) {
	h := &handles{rlimits: []Rlimit{{Type: unix.RLIMIT_CPU, Soft: 100, Hard: 100}, {Type: unix.RLIMIT_NOFILE, Soft: 64, Hard: 64}}}
	p := Process{Rlimits: []Rlimit{{Type: unix.RLIMIT_CPU, Soft: 5, Hard: 5}, {Type: unix.RLIMIT_NOFILE, Soft: 32, Hard: 32}, {Type: unix.RLIMIT_FSIZE, Soft: 1, Hard: 2}}}
	check := func(p Process, want [3]Rlimit) {
		t.Helper()
		if got := h.limited(p, 1500*time.Millisecond).Rlimits; [3]Rlimit(got) != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	check(p, [3]Rlimit{{Type: unix.RLIMIT_CPU, Soft: 7, Hard: 7}, {Type: unix.RLIMIT_NOFILE, Soft: 32, Hard: 32}, {Type: unix.RLIMIT_FSIZE, Soft: 1, Hard: 2}})
	p.MayPause = true
	check(p, [3]Rlimit{{Type: unix.RLIMIT_CPU, Soft: 7, Hard: 100}, {Type: unix.RLIMIT_NOFILE, Soft: 32, Hard: 64}, {Type: unix.RLIMIT_FSIZE, Soft: 1, Hard: 2}})
	if p.Rlimits[0].Soft != 5 {
		t.Error("the caller's rlimits were changed")
	}
}

// TestCwdWithOwnRights: a program begins where it may go itself. Root of its user namespace could go anywhere in the sandbox's file
// systems, and has no right left when the directory is entered.
func TestCwdWithOwnRights(t *testing.T) {
	b := requireSandbox(t)
	cfg := b.config()
	for i, mode := range []uint32{0o700, 0o755} {
		cfg.Mounts[1].Mode = mode // of /tmp, which root owns
		p := process()
		p.Cwd = "/tmp"
		r := b.runIn(t, cfg, p)
		if want := []Verdict{StartFailed, Exited}[i]; r.Verdict != want {
			t.Errorf("mode %o: verdict %v, %v, want %d", mode, r.Verdict, r.Err, want)
		}
	}
}

// TestCountFrom: sandbox-init's own CPU time is not the first step's; later steps count from what the kernel had counted before.
func TestCountFrom(t *testing.T) {
	for steps, want := range map[int]time.Duration{1: time.Second, 2: time.Minute} {
		r := &run{sb: &Sandbox{steps: steps}, before: counters{user: time.Minute, system: time.Minute}}
		r.countFrom(time.Second, time.Second)
		if r.before.user != want || r.before.system != want {
			t.Errorf("step %d counts from %+v, want %v", steps, r.before, want)
		}
	}
}

// TestChildEndsAreClosed: while a program runs the daemon has one end of each of its pipes. With the other one too it would not see the end
// of an output, nor that nobody reads the input any more.
func TestChildEndsAreClosed(t *testing.T) {
	b := requireSandbox(t)
	before := pipeEnds(t)
	p := process("echo", "x")
	p.Stdin = make([]byte, 10*pipeSize) // more than is written at once: that end stays open
	started := false
	p.OnStart = func() {
		started = true
		for pipe, ends := range pipeEnds(t) {
			if before[pipe] == 0 && ends != 1 {
				t.Errorf("%s: %d ends", pipe, ends)
			}
		}
	}
	if r := b.run(t, p); r.Verdict != Exited || !started {
		t.Errorf("%+v, started %v", r, started)
	}
}

// pipeEnds counts this process's descriptors of each pipe.
func pipeEnds(t *testing.T) map[string]int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	for _, fd := range fds {
		if target, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(target, "pipe:") {
			ends[target]++
		}
	}
	return ends
}

// TestManySteps: the operands of one step, its rlimits among them, are not those of the next: a sandbox takes any number of steps.
func TestManySteps(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	for step := range 2 * rlimitsMax {
		p := process("echo", "x")
		p.Rlimits = p.Rlimits[:step%2+1]
		if r := b.runStep(t, sb, p); r.Verdict != Exited || string(r.Stdout.Data) != "x\n" {
			t.Fatalf("step %d: %+v", step, r)
		}
	}
}
