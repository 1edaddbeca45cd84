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
					if got := run(t, a.BPF, nr, audit(arch), args); got != want {
						t.Errorf("%s%#x on %s: the program returns %#x, want %#x", name, args, arch, got, want)
					}
					if got := a.Answer(nr, args); !got.same(plain) {
						t.Errorf("%s%#x on %s: the answer is %s, want %s", name, args, arch, got, plain)
					}
				}
			}
			if asked < 50 {
				t.Errorf("only %d calls were asked about", asked)
			}
			const killProcess, x32Bit = 0x80000000, 0x40000000
			if got := run(t, a.BPF, x32Bit|39, auditX86_64, [6]uint64{}); arch == X86_64 && got != killProcess {
				t.Errorf("x32: the program returns %#x, want %#x", got, uint32(killProcess))
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
		if got := a.Answer(affinity, [6]uint64{}); got.Action != ActAllow {
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
