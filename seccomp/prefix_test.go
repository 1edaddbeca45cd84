// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"syscall"
	"testing"
)

// TestCoreLimit: no policy lets a program change the limit on core files; all else that it says of these calls holds. What a call gets
// is known from setrlimit(2), whose limits are numbered in asm-generic/resource.h.
func TestCoreLimit(t *testing.T) {
	const pointer, kill = 0x7ffc_0000_0000, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["setrlimit", "prlimit64"], "action": "SCMP_ACT_KILL_PROCESS"}]}`
	allow := Decision{Action: ActAllow}
	kept, refused := Decision{Action: ActErrno}, Decision{Action: ActErrno, Errno: syscall.EPERM}
	for i, p := range []*Policy{Default(), {DefaultAction: ActAllow}, mustParse(t, kill)} {
		other := allow
		if i == 2 {
			other.Action = ActKillProcess
		}
		for _, arch := range []Arch{X86_64, AARCH64} {
			target := Target{arch, Kernel{6, 1}}
			plain, err := p.CompileFor(target)
			if err != nil {
				t.Fatal(err)
			}
			notifying, err := p.compileNotify(target)
			if err != nil {
				t.Fatal(err)
			}
			for _, tt := range []struct {
				call string
				args [6]uint64
				want Decision
			}{
				{"setrlimit", [6]uint64{4, pointer}, kept},
				{"setrlimit", [6]uint64{upper | 4, pointer}, kept},
				{"setrlimit", [6]uint64{7, pointer}, other},
				{"setrlimit", [6]uint64{0, pointer}, other},
				{"prlimit64", [6]uint64{0, 4, pointer, 0}, kept},
				{"prlimit64", [6]uint64{1234, upper | 4, pointer, 0}, kept},
				{"prlimit64", [6]uint64{0, 4, upper, 0}, kept},
				{"prlimit64", [6]uint64{0, 4, 1, 0}, kept},
				{"prlimit64", [6]uint64{0, 4, pointer, pointer}, refused},
				{"prlimit64", [6]uint64{0, 4, pointer, upper}, refused},
				{"prlimit64", [6]uint64{0, 4, pointer, 8}, refused},
				{"prlimit64", [6]uint64{0, 4, 0, pointer}, other},
				{"prlimit64", [6]uint64{0, 4, 0, 0}, other},
				{"prlimit64", [6]uint64{4, 7, pointer, 0}, other},
				{"getrlimit", [6]uint64{4, pointer}, allow},
				{"getpid", [6]uint64{4, 4, 4, 4}, allow},
			} {
				nr, _ := numberOn(arch, tt.call)
				what := fmt.Sprintf("policy %d: %s%#x on %s", i, tt.call, tt.args, arch)
				if got := run(t, plain.BPF, nr, arch.audit(), tt.args); got != ret(tt.want) {
					t.Errorf("%s: the program returns %#x, want %s", what, got, tt.want)
				}
				want := ret(tt.want)
				if tt.want != allow && tt.want != kept {
					want = retNotify
				}
				if got := run(t, notifying.WithoutNetwork().BPF, nr, arch.audit(), tt.args); got != want {
					t.Errorf("%s: the notifying program returns %#x, want %#x", what, got, want)
				}
				if got := notifying.Answer(arch.audit(), nr, tt.args); !got.same(tt.want) {
					t.Errorf("%s: the answer is %s, want %s", what, got, tt.want)
				}
			}
		}
	}
}
