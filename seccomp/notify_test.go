package seccomp

import (
	"strings"
	"syscall"
	"testing"
)

// TestAsking holds the asking program to the plain one: it asks about what that refuses, and does the same to all else; and
// Answer says what the plain one does.
func TestAsking(t *testing.T) {
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
			a, err := p.compileAsking(target)
			if err != nil {
				t.Fatal(err)
			}
			asked := 0
			for _, name := range knownNames() {
				nr, ok := numberOn(arch, name)
				if !ok || contains(a.Unknown, name) {
					continue
				}
				for _, args := range interesting(a.rules.rules[name]) {
					plain := a.rules.decide(Call{arch, name, args})
					want := ret(plain)
					if a.rules.asks(name, plain) {
						want = retNotify
						asked++
					}
					if got := run(t, a.BPF, nr, arch.audit(), args); got != want {
						t.Errorf("%s%#x on %s: the program returns %#x, want %#x", name, args, arch, got, want)
					}
					if got := a.Answer(arch.audit(), nr, args); !got.same(plain) {
						t.Errorf("%s%#x on %s: the answer is %s, want %s", name, args, arch, got, plain)
					}
				}
			}
			if asked < 50 {
				t.Errorf("only %d calls were asked about", asked)
			}
			for _, foreign := range []struct {
				audit uint32
				nr    int32
			}{{auditI386, 20}, {auditARM, 20}, {auditX86_64, x32Bit | 39}, {auditAARCH64, 172}, {auditX86_64, 39}, {0x1234, 1}} {
				if foreign.audit == arch.audit() && foreign.nr < x32Bit {
					continue
				}
				if got := run(t, a.BPF, foreign.nr, foreign.audit, [6]uint64{}); got != retNotify {
					t.Errorf("call %#x of %#x on %s: the program returns %#x, want that it asks", foreign.nr, foreign.audit, arch, got)
				}
				if got := a.Answer(foreign.audit, foreign.nr, [6]uint64{}); got.Action != ActKillProcess {
					t.Errorf("call %#x of %#x on %s: the answer is %s, want that it kills", foreign.nr, foreign.audit, arch, got)
				}
			}
		}
	}
}

// TestAskingPaces: calls that cost the host are asked about although they are allowed, by a rule or by default, and the answer is that they are.
func TestAskingPaces(t *testing.T) {
	open, err := Parse([]byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "bpf", "action": "SCMP_ACT_ERRNO"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Policy{Default(), open} {
		a, err := p.compileAsking(Target{X86_64, Kernel{6, 1}})
		if err != nil {
			t.Fatal(err)
		}
		const affinity, getpid, retAllow = 203, 39, 0x7fff0000 // of x86_64
		if got := run(t, a.BPF, affinity, auditX86_64, [6]uint64{}); got != retNotify {
			t.Errorf("sched_setaffinity: the program returns %#x, want %#x", got, uint32(retNotify))
		}
		if got := a.Answer(auditX86_64, affinity, [6]uint64{}); got.Action != ActAllow {
			t.Errorf("sched_setaffinity: the answer is %s, want that it is allowed", got)
		}
		if got := run(t, a.BPF, getpid, auditX86_64, [6]uint64{}); got != retAllow {
			t.Errorf("getpid: the program returns %#x, want %#x", got, retAllow)
		}
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func TestAskingRefuses(t *testing.T) {
	p, err := Parse([]byte(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CompileAsking(); err == nil || !strings.Contains(err.Error(), "it refuses execve") {
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

// TestNameOn: a call of a foreign ABI is named with it. The numbers are those of the kernel's tables (syscall_64.tbl, syscall_32.tbl, arm's).
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
