// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// startInCgroup starts a process in cg; the function it returns waits for it.
func startInCgroup(t *testing.T, cg *cgroup) func() string {
	t.Helper()
	cmd := exec.Command(shared.root+"/prog", "sleep")
	if fd, ok := cg.cloneInto(); ok {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cg.join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	return func() string {
		_ = cmd.Wait()
		return cmd.ProcessState.String()
	}
}

// probe runs the probes of package escape in a sandbox and returns its report by probe, "GROUP/NAME" to "WORD: EVIDENCE".
func (b *box) probe(t *testing.T, set string, adjust func(*Config, *Process)) map[string]string {
	t.Helper()
	cfg, p := b.config(), process("sandbox-probe", set)
	if adjust != nil {
		adjust(&cfg, &p)
	}
	sb, err := b.spawner.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	r, err := sb.Run(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(r.Stdout.Data)) {
		what, how, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if what == "end" {
			if how != fmt.Sprint(len(got)) {
				t.Fatalf("%d reports of %s", len(got), how)
			}
			return got
		}
		got[what] = how
	}
	t.Fatalf("no end: verdict %v, code %d\n%s%s", r.Verdict, r.ExitCode, r.Stdout.Data, r.Stderr.Data)
	return nil
}

// holds reports whether a probe found the sandbox as it must be.
func holds(report string) bool {
	return strings.HasPrefix(report, "refused: ") || strings.HasPrefix(report, "held: ")
}

// TestEscape tries each way out from inside, with a filter that allows every system call: the namespaces, ids and mounts
// must hold by themselves.
func TestEscape(t *testing.T) {
	b := requireSandbox(t)
	for _, tt := range []struct {
		set      string
		loopback bool
		least    int
	}{{"bare", true, 150}, {"bare", false, 150}, {"offline-bare", false, 3}} {
		got := b.probe(t, tt.set, func(cfg *Config, _ *Process) { cfg.Loopback = tt.loopback })
		for what, how := range got {
			if !holds(how) {
				t.Errorf("%s, loopback %v: %s: %s", tt.set, tt.loopback, what, how)
			}
		}
		if len(got) < tt.least {
			t.Errorf("%s: only %d probes", tt.set, len(got))
		}
	}
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// TestInside reads from inside what a program is and sees.
func TestInside(t *testing.T) {
	b := requireSandbox(t)
	show := func(args ...string) string { return string(b.run(t, process(args...)).Stdout.Data) }

	if got, want := show("fds"), "0 1 2 \n"; got != want {
		t.Errorf("descriptors %q, want %q", got, want)
	}
	if got, want := show("env"), "PATH=/\nA=b c\n"; got != want {
		t.Errorf("environment %q, want %q", got, want)
	}
	status := show("show", "/proc/self/status")
	for _, line := range []string{
		"Uid:\t1000\t1000\t1000\t1000", "Gid:\t1000\t1000\t1000\t1000", "Groups:\t \n", "NoNewPrivs:\t1", "Seccomp:\t2",
		"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
		"CapAmb:\t0000000000000000", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "Umask:\t0022", "PPid:\t1\n",
	} {
		if !strings.Contains(status, line) {
			t.Errorf("/proc/self/status has no line %q:\n%s", line, status)
		}
	}
	for line := range strings.Lines(show("show", "/proc/self/cgroup")) {
		if !strings.HasSuffix(line, ":/\n") {
			t.Errorf("cgroup path of the host: %s", line)
		}
	}
	mounts := show("show", "/proc/self/mountinfo")
	if n := strings.Count(mounts, "\n"); n > 12+5 { // 5 are /sys and what is seen of the cgroups, where they are v1
		t.Errorf("%d mounts, want only our own:\n%s", n, mounts)
	}
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line) // see proc_pid_mountinfo(5)
		at, flags := f[4], ","+f[5]+","
		for _, flag := range []string{"nosuid", "nodev", "ro", "noexec"} {
			exempt := flag == "nodev" && (at == "/dev" || at == "/dev/pts" || f[3] == "/null") || // where devices must work
				flag == "ro" && contains([]string{"/workspace", "/tmp", "/dev/shm", "/dev/pts"}, at) ||
				flag == "noexec" && (at == "/" || at == "/workspace")
			if !exempt && !strings.Contains(flags, ","+flag+",") {
				t.Errorf("%s is not %s: %s", at, flag, line)
			}
		}
	}
	if got := show("show", "/proc/net/dev"); strings.Contains(got, "eth") || strings.Count(got, ":") != 1 {
		t.Errorf("network devices beside a loopback:\n%s", got)
	}
	if got := show("show", "/proc/sys/kernel/hostname"); got != "sandbox\n" {
		t.Errorf("hostname %q", got)
	}
	if got := show("show", "/proc/self/oom_score_adj"); got != "1000\n" {
		t.Errorf("oom_score_adj %q", got)
	}
}

// TestSandboxesAreApart: what one sandbox writes another does not see.
func TestSandboxesAreApart(t *testing.T) {
	b := requireSandbox(t)
	for _, path := range []string{"/workspace/x", "/tmp/x", "/dev/shm/x"} {
		if r := b.run(t, process("write", path)); r.Verdict != Exited || r.ExitCode != 0 {
			t.Fatalf("write %s: %+v", path, r)
		}
		if got := string(b.run(t, process("show", path)).Stdout.Data); !strings.Contains(got, "No such file") {
			t.Errorf("another sandbox sees %s: %q", path, got)
		}
	}
}
