// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestNotify holds the notifying program to the plain one: it notifies of what that refuses, and does the same to all else; and
// Answer says what the plain one does.
func TestNotify(t *testing.T) {
	const docker = `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["execve", "read", "write"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["bpf"], "action": "SCMP_ACT_KILL_PROCESS"}, {"names": ["ptrace"], "action": "SCMP_ACT_TRAP"},
		{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}, {"names": ["sync"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0},
		{"names": ["socket"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]}`
	parsed, err := Parse([]byte(docker))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Policy{Default(), parsed} {
		for _, arch := range []Arch{X86_64, AARCH64} {
			target := Target{arch, Kernel{6, 1}}
			a, err := p.compileNotify(target)
			if err != nil {
				t.Fatal(err)
			}
			notified := 0
			for _, name := range knownNames() {
				nr, ok := numberOn(arch, name)
				if !ok || contains(a.Unknown, name) {
					continue
				}
				for _, args := range interesting(a.rules.rules[name]) {
					plain := a.rules.decide(Call{arch, name, args})
					want := ret(plain)
					if a.rules.notifies(name, plain) {
						want = retNotify
						notified++
					}
					if got := run(t, a.BPF, nr, arch.audit(), args); got != want {
						t.Errorf("%s%#x on %s: the program returns %#x, want %#x", name, args, arch, got, want)
					}
					if got := a.Answer(arch.audit(), nr, args); !got.same(plain) {
						t.Errorf("%s%#x on %s: the answer is %s, want %s", name, args, arch, got, plain)
					}
				}
			}
			if notified < 50 {
				t.Errorf("only %d calls were notified of", notified)
			}
			for _, foreign := range []struct {
				audit uint32
				nr    int32
			}{{auditI386, 20}, {auditARM, 20}, {auditX86_64, x32Bit | 39}, {auditAARCH64, 172}, {auditX86_64, 39}, {0x1234, 1}} {
				if foreign.audit == arch.audit() && foreign.nr < x32Bit {
					continue
				}
				if got := run(t, a.BPF, foreign.nr, foreign.audit, [6]uint64{}); got != retNotify {
					t.Errorf("call %#x of %#x on %s: the program returns %#x, want that it notifies", foreign.nr, foreign.audit, arch, got)
				}
				if got := a.Answer(foreign.audit, foreign.nr, [6]uint64{}); got.Action != ActKillProcess {
					t.Errorf("call %#x of %#x on %s: the answer is %s, want that it kills", foreign.nr, foreign.audit, arch, got)
				}
			}
		}
	}
}

// TestNotifies has the decisions of which the filter notifies, each by itself: TestNotify takes them from the code.
func TestNotifies(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    Decision
		want bool
	}{
		{"bpf", Decision{Action: ActKillProcess}, true},
		{"bpf", Decision{Action: ActKillThread}, true},
		{"bpf", Decision{Action: ActErrno, Errno: syscall.EPERM}, true},
		{"bpf", Decision{Action: ActErrno, Errno: syscall.ENOSYS}, true},
		{"fsync", Decision{Action: ActErrno}, false}, // does nothing and succeeds
		{"clone3", Decision{Action: ActErrno, Errno: syscall.ENOSYS}, false},
		{"clone3", Decision{Action: ActErrno, Errno: syscall.EPERM}, true},
		{"bpf", Decision{Action: ActTrap}, false},
		{"bpf", Decision{Action: ActTrace, Errno: 1}, false},
		{"bpf", Decision{Action: ActNotify}, false},
		{"read", Decision{Action: ActAllow}, false},
		{"read", Decision{Action: ActLog}, false},
		{"sched_setaffinity", Decision{Action: ActAllow}, true},
		{"sched_setaffinity", Decision{Action: ActLog}, true},
	} {
		if got := (&ruleset{}).notifies(tt.name, tt.d); got != tt.want {
			t.Errorf("%s that gets %s: %v, want %v", tt.name, tt.d, got, tt.want)
		}
	}
}

// TestNotifyPaces: the filter notifies of calls that cost the host although they are allowed, by a rule or by default, and the answer is
// that they are.
func TestNotifyPaces(t *testing.T) {
	open := mustParse(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "bpf", "action": "SCMP_ACT_ERRNO"}]}`)
	for _, p := range []*Policy{Default(), open} {
		for _, arch := range []Arch{X86_64, AARCH64} {
			n, err := p.compileNotify(Target{arch, Kernel{6, 1}})
			if err != nil {
				t.Fatal(err)
			}
			for _, tt := range []struct {
				name string
				want uint32
			}{
				{"sched_setaffinity", retNotify}, {"sched_setscheduler", retNotify}, {"sched_setparam", retNotify},
				{"sched_getaffinity", retAllow}, {"sched_getparam", retAllow}, {"sched_yield", retAllow}, {"getpid", retAllow},
			} {
				nr, ok := numberOn(arch, tt.name)
				if !ok {
					t.Fatal(tt.name)
				}
				if got := run(t, n.BPF, nr, arch.audit(), [6]uint64{}); got != tt.want {
					t.Errorf("%s on %s: the program returns %#x, want %#x", tt.name, arch, got, tt.want)
				}
				if got := n.Answer(arch.audit(), nr, [6]uint64{}); got.Action != ActAllow {
					t.Errorf("%s on %s: the answer is %s, want that it is allowed", tt.name, arch, got)
				}
			}
		}
	}
}

const retAllow = 0x7fff0000 // SECCOMP_RET_ALLOW

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

func TestNotifyNeedsExecve(t *testing.T) {
	p, err := Parse([]byte(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CompileNotify(); err == nil || !strings.Contains(err.Error(), "it refuses execve") {
		t.Errorf("a policy without execve: %v", err)
	}
}

func TestName(t *testing.T) {
	for _, tt := range []struct {
		nr   int32
		arch Arch
		want string
	}{
		{syscall.SYS_READ, hostArch(t), "read"}, {250, X86_64, "keyctl"}, {451, X86_64, "cachestat"}, {335, X86_64, "uretprobe"},
		{0, X86_64, "read"}, {63, AARCH64, "read"}, {9999, X86_64, "syscall_9999"}, {-1, X86_64, "syscall_-1"},
	} {
		if got := Name(tt.nr, tt.arch); got != tt.want {
			t.Errorf("Name(%d, %s) = %q, want %q", tt.nr, tt.arch, got, tt.want)
		}
	}
}

// TestNameOn: a call of a foreign ABI is named with it. The numbers are those of the kernel's tables (syscall_64.tbl, syscall_32.tbl,
// arm's).
func TestNameOn(t *testing.T) {
	for _, tt := range []struct {
		arch  Arch
		audit uint32
		nr    int32
		want  string
		known bool
	}{
		{X86_64, auditX86_64, 39, "getpid", true},
		{X86_64, auditX86_64, x32Bit | 39, "getpid (x32)", true},
		{X86_64, auditI386, 20, "getpid (i386)", true},
		{X86_64, auditX86_64, 9999, "syscall_9999", false},
		{X86_64, auditX86_64, -1, "syscall_-1", false}, // what a tracer left out, not x32's
		{X86_64, auditI386, 9999, "syscall_9999 (i386)", false},
		{X86_64, 0x1234, 1, "syscall_1 (architecture 0x1234)", false},
		{AARCH64, auditAARCH64, 172, "getpid", true},
		{AARCH64, auditARM, 20, "getpid (arm)", true},
		{AARCH64, auditAARCH64, x32Bit | 39, "syscall_1073741863", false}, // no x32 there
	} {
		if name, known := (Target{Arch: tt.arch}).NameOn(tt.audit, tt.nr); name != tt.want || known != tt.known {
			t.Errorf("NameOn(%#x, %#x) on %s = %q, %v, want %q, %v", tt.audit, tt.nr, tt.arch, name, known, tt.want, tt.known)
		}
	}
}
