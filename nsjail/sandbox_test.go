// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestVerdicts runs a program for each way to end.
func TestVerdicts(t *testing.T) {
	b := requireSandbox(t)
	for _, tt := range []struct {
		name   string
		args   []string
		change func(*Process)
		want   Verdict
		stdout string
	}{
		{"exit", []string{"echo", "hello"}, nil, Exited, "hello\n"},
		{"abort", []string{"signal", "6"}, nil, Signaled, ""},
		{"killed by itself", []string{"signal", "9"}, nil, Signaled, ""},
		{"SIGSYS", []string{"signal", "31"}, nil, Signaled, ""}, // of its own making: see TestDeniedKills
		{"memory", []string{"memory", "100000000"}, nil, OOMKilled, ""},
		{"memory below the limit", []string{"memory", "60000000"}, nil, Exited, "touched\n"},
		{"wall time", []string{"sleep"}, func(p *Process) { p.WallTime = 50 * time.Millisecond }, WallTime, ""},
		{"CPU time", []string{"spin"}, func(p *Process) { p.CPUTime = 50 * time.Millisecond }, CPUTime, ""},
		{"file size", []string{"file", "2000000"}, nil, FileSize, ""},
		{"workspace full", []string{"file", "9000000"}, func(p *Process) { p.Rlimits = nil }, Exited, ""},
		{"pids at the limit", []string{"fork", "31"}, nil, Exited, "forked\n"},
		{"pids above the limit", []string{"fork", "32"}, nil, PidsLimit, "fork 31: Resource temporarily unavailable\n"},
		{"fork bomb", []string{"forkbomb"}, func(p *Process) {
			p.WallTime = 200 * time.Millisecond
			p.Resources.MemoryMax = 1 << 30 // refused forks are charged until RCU frees them
		}, WallTime, ""},
		{"no such program", nil, func(p *Process) { p.Args = []string{"/nothing"} }, StartFailed, ""},
		{"no such directory", nil, func(p *Process) { p.Cwd = "/nothing" }, StartFailed, ""},
		{"not executable", nil, func(p *Process) {
			p.Args, p.Files = []string{"/workspace/f"}, []File{{Name: "f", Data: []byte("x"), Mode: 0o644}}
		}, StartFailed, ""},
		{"a descendant holds stdout", []string{"daemonise"}, nil, Exited, "parent ends\n"},
		{"stdout is in flight", []string{"inflight"}, nil, Exited, "in flight\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := process(tt.args...)
			if tt.change != nil {
				tt.change(&p)
			}
			r := b.run(t, p)
			if r.Verdict != tt.want || string(r.Stdout.Data) != tt.stdout {
				t.Errorf("got verdict %v, stdout %q, %+v, want verdict %v, stdout %q", r.Verdict, r.Stdout.Data, r, tt.want, tt.stdout)
			}
		})
	}
}

func TestExitCodesAndSignals(t *testing.T) {
	b := requireSandbox(t)
	for _, code := range []int{0, 1, 2, 42, 126, 127, 128, 137, 139, 255} {
		if r := b.run(t, process("exit", strconv.Itoa(code))); r.Verdict != Exited || r.ExitCode != code {
			t.Errorf("exit %d: got %+v", code, r)
		}
	}
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGSEGV, unix.SIGTERM, unix.SIGUSR1, unix.SIGPIPE} {
		if r := b.run(t, process("signal", strconv.Itoa(int(sig)))); r.Verdict != Signaled || r.Signal != sig || r.Exited {
			t.Errorf("signal %d: got %+v", sig, r)
		}
	}
}

func TestErrorsNameTheStep(t *testing.T) {
	b := requireSandbox(t)
	p := process()
	p.Args[0] = "/nothing"
	if r := b.run(t, p); r.Err == nil || r.Err.Error() != "execve /nothing: no such file or directory" {
		t.Errorf("got %v", r.Err)
	}
	cfg := b.config()
	cfg.Mounts = append(cfg.Mounts, Tmpfs{Destination: "/usr", Size: 1, Inodes: 1})
	const want = "set up sandbox: mount /usr: no such file or directory"
	sb, err := b.spawner.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Run(context.Background(), process()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	cfg = b.config()
	cfg.Root = "/etc"
	if _, err := b.spawner.New(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "is not below any of") {
		t.Errorf("got %v", err)
	}
}

func TestOutput(t *testing.T) {
	b := requireSandbox(t)
	for _, tt := range []struct {
		bytes, max, flood int64
		kept              int
		truncated         bool
		want              Verdict
	}{
		{65535, 65536, 1 << 20, 65535, false, Exited},
		{65536, 65536, 1 << 20, 65536, false, Exited},
		{65537, 65536, 1 << 20, 65536, true, Exited},
		{1 << 20, 65536, 1 << 20, 65536, true, Exited},
		{1<<20 + 1, 65536, 1 << 20, 65536, true, OutputLimit},
		{1 << 40, 65536, 1 << 20, 65536, true, OutputLimit},
	} {
		p := process("flood", strconv.FormatInt(tt.bytes, 10))
		p.OutputMax, p.FloodMax = tt.max, tt.flood
		r := b.run(t, p)
		if r.Verdict != tt.want || len(r.Stdout.Data) != tt.kept || r.Stdout.Truncated != tt.truncated {
			t.Errorf("%d bytes: verdict %v, kept %d, truncated %v, want %+v", tt.bytes, r.Verdict, len(r.Stdout.Data), r.Stdout.Truncated, tt)
		}
		if tt.want == Exited && r.Stdout.Bytes != tt.bytes {
			t.Errorf("%d bytes: counted %d", tt.bytes, r.Stdout.Bytes)
		}
	}
}

func TestStdin(t *testing.T) {
	b := requireSandbox(t)
	for _, size := range []int{0, 1, pipeSize, pipeSize + 1, 1_000_000} {
		p := process("cat")
		p.Stdin = bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		p.OutputMax, p.FloodMax = 2_000_000, 2_000_000
		if r := b.run(t, p); r.Verdict != Exited || !bytes.Equal(r.Stdout.Data, p.Stdin) {
			t.Errorf("%d bytes: verdict %v, %d bytes back", size, r.Verdict, len(r.Stdout.Data))
		}
	}
	p := process("echo", "not reading")
	p.Stdin = make([]byte, 1_000_000)
	if r := b.run(t, p); r.Verdict != Exited {
		t.Errorf("unread input: %+v", r)
	}
}

func TestDevStdinCanBeOpened(t *testing.T) {
	b := requireSandbox(t)
	p := process("show", "/dev/stdin")
	p.Stdin = []byte("through /dev/stdin\n")
	if r := b.run(t, p); string(r.Stdout.Data) != "through /dev/stdin\n" {
		t.Errorf("got %q", r.Stdout.Data)
	}
}

// TestSteps: a sandbox takes one program after the other; what the first left running is dead, what it wrote is there.
func TestSteps(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	step := func(p Process) Result {
		t.Helper()
		r, err := sb.Run(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := process("write", "artefact")
	first.Files = []File{{Name: "dir/source", Data: bytes.Repeat([]byte("s"), 300_000), Mode: 0o600}}
	if r := step(first); r.Verdict != Exited {
		t.Fatalf("first: %+v", r)
	}
	if r := step(process("daemonise")); r.Verdict != Exited {
		t.Fatalf("second: %+v", r)
	}
	third := process("fork", "31") // all 31 places are free again
	third.Resources.MemoryMax = 32 << 20
	if r := step(third); r.Verdict != Exited || string(r.Stdout.Data) != "forked\n" {
		t.Fatalf("third: %+v", r)
	}
	fourth := process("memory", "50000000") // its own limit, not the first one's
	fourth.Resources.MemoryMax = 128 << 20
	if r := step(fourth); r.Verdict != Exited {
		t.Fatalf("fourth: %+v", r)
	}
	last := process("show", "artefact", "dir/source")
	last.OutputMax = 1 << 20
	if r := step(last); r.Verdict != Exited || len(r.Stdout.Data) != 5+300_000 {
		t.Fatalf("last: %d bytes, %+v", len(r.Stdout.Data), r.Verdict)
	}
	dead := process("sleep")
	dead.WallTime = time.Millisecond
	if r := step(dead); r.Verdict != WallTime {
		t.Fatalf("deadline: %+v", r)
	}
	if _, err := sb.Run(context.Background(), process()); err != ErrDead {
		t.Errorf("after a kill: %v, want ErrDead", err)
	}
}

// TestStepsLeaveTooMuch: files of one step that are more than the next one's memory.
func TestStepsLeaveTooMuch(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	first := process("file", "7000000")
	first.Rlimits = nil
	if r, err := sb.Run(context.Background(), first); err != nil || r.Verdict != Exited {
		t.Fatalf("first: %+v, %v", r, err)
	}
	second := process()
	second.Resources.MemoryMax = 4 << 20
	r, err := sb.Run(context.Background(), second)
	if err != nil || r.Verdict != OOMKilled || len(r.Evidence) == 0 {
		t.Errorf("second: %+v, %v, want OOMKilled with evidence", r, err)
	}
}

// TestTinyRate: dying takes CPU time too, so a kill lifts the CPU rate.
func TestTinyRate(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	p := process("forkbomb")
	p.Resources.CPUMillicores, p.Resources.MemoryMax, p.WallTime = 10, 1<<30, 300*time.Millisecond
	r, err := sb.Run(context.Background(), p)
	if err != nil || r.Verdict != WallTime {
		t.Fatalf("got %+v, %v", r, err)
	}
	file := "cpu.cfs_quota_us"
	if sb.cg.at.v2() {
		file = "cpu.max"
	}
	text, err := readFile(sb.cg.at.cpu, file)
	if err != nil {
		t.Fatal(err)
	}
	quota, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
	if limit := p.Resources.CPUMillicores * cpuPeriod.Microseconds() / 1000; err != nil || quota <= limit {
		t.Errorf("after the kill %s is %q (%v), want more than %d", file, text, err, limit)
	}
}

func TestCancel(t *testing.T) {
	b := requireSandbox(t)
	ctx, cancel := context.WithCancel(context.Background())
	p := process("sleep")
	p.OnStart = cancel
	r, err := b.sandbox(t).Run(ctx, p)
	if err != nil || r.Verdict != Cancelled {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestUsage(t *testing.T) {
	b := requireSandbox(t)
	p := process("spin")
	p.CPUTime = 100 * time.Millisecond
	r := b.run(t, p)
	if cpu := r.Usage.User + r.Usage.System; cpu < 100*time.Millisecond {
		t.Errorf("CPU time %v, want at least what the limit was", cpu)
	}
	r = b.run(t, process("memory", "30000000"))
	const batch = 2 * 64 * 4096 // the kernel charges ahead, 64 pages a CPU
	if m := r.Usage.MemoryPeak; m < 30_000_000-batch || m > 33_000_000 {
		t.Errorf("peak of 30,000,000 bytes touched: %d", m)
	}
	sb := b.sandbox(t)
	want := int64(6)
	if _, err := os.Stat(sb.cg.at.pids + "/pids.peak"); err != nil { // before Linux 6.1
		want = 0
	}
	if r = b.runStep(t, sb, process("fork", "5")); r.Usage.PidsPeak != want {
		t.Errorf("peak of six processes: %d, want %d", r.Usage.PidsPeak, want)
	}
}

// TestNothingIsLeft: neither process nor cgroup nor mount nor descriptor remains of a sandbox, however it ended.
func TestNothingIsLeft(t *testing.T) {
	b := requireSandbox(t)
	before := openDescriptors(t)
	for _, mode := range []string{"", "daemonise", "sleep", "forkbomb"} {
		p := process(mode)
		p.WallTime = 100 * time.Millisecond
		sb, err := b.spawner.New(context.Background(), b.config())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sb.Run(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		at := sb.cg.at
		if err := sb.Close(); err != nil {
			t.Fatal(err)
		}
		for _, dir := range at.all() {
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%q: %s is left", mode, dir)
			}
		}
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestRefuses(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	for name, change := range map[string]func(*Process){
		"no filter":    func(p *Process) { p.Seccomp = nil },
		"no wall time": func(p *Process) { p.WallTime = 0 },
		"no pids":      func(p *Process) { p.Resources.PidsMax = 0 },
		"no memory":    func(p *Process) { p.Resources.MemoryMax = 0 },
		"host root":    func(p *Process) { p.UID = 1 },
		"no argv":      func(p *Process) { p.Args = nil },
		"endless argv": func(p *Process) { p.Args = make([]string, stringsMax) },
	} {
		p := process()
		change(&p)
		if _, err := sb.Run(context.Background(), p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSweep: a daemon that was killed leaves cgroups with processes; the next one removes both, but not while it lives.
func TestSweep(t *testing.T) {
	requireSandbox(t)
	name := fmt.Sprintf("ccee-nsjail-sweep-%d", os.Getpid())
	first, err := OpenCgroups(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCgroups(name); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("second daemon: %v", err)
	}
	cg, err := first.newCgroup()
	if err != nil {
		t.Fatal(err)
	}
	if err := cg.finish(testResources(), false); err != nil {
		t.Fatal(err)
	}
	stray := startInCgroup(t, cg)
	unix.Close(cg.fd)
	first.lock.Close() // as the kernel does when the daemon is killed

	second, err := OpenCgroups(name)
	if err != nil {
		t.Fatal(err)
	}
	if state := stray(); state != "signal: killed" {
		t.Errorf("the stray process ended with %q", state)
	}
	if err := second.Close(); err != nil { // fails if anything is left below
		t.Error(err)
	}
}
