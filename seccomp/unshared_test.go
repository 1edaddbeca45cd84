// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"syscall"
	"testing"
)

// TestUnshared: whatever the policy allows, a program without namespaces gets no socket that could be connected to somebody else's, and
// no memory that is not its processes'; all else is as the policy has it.
func TestUnshared(t *testing.T) {
	// The flags and types are those of mmap(2) and socketpair(2), not the constants of the code.
	values := [][6]uint64{
		{}, {1, 1}, {1, 5}, {1, 2}, {1, 3}, {1, 0},
		{1, syscall.SOCK_STREAM | syscall.SOCK_CLOEXEC}, {1, syscall.SOCK_DGRAM | syscall.SOCK_NONBLOCK},
		{2, 1}, {10, 1}, {16, 3}, {17, 3}, {38, 5}, {40, 1}, {44, 3}, {upper | 1, upper | 1}, {upper | 2, 1},
		{0, 4096, 3, 0x22}, {0, 4096, 3, 0x21}, {0, 4096, 3, 0x23}, {0, 4096, 3, 0x01}, {0, 4096, 3, 0x02},
		{0, 4096, 3, 0x40022}, {0, 4096, 3, upper | 0x21},
	}
	denied := func(name string, a [6]uint64) bool {
		flags, kind := uint32(a[3]), uint32(a[1])&0xf
		switch name {
		case "socket", "io_uring_setup", "memfd_create", "memfd_secret", "shmget", "semget", "msgget", "mq_open":
			return true
		case "mmap":
			return flags&0x40000 != 0 || flags&0x21 == 0x21
		case "socketpair":
			return uint32(a[0]) != 1 || kind != 1 && kind != 5
		}
		return false
	}
	open := mustParse(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "keyctl", "action": "SCMP_ACT_ERRNO"}]}`)
	for i, p := range []*Policy{Default(), open} {
		for _, arch := range []Arch{X86_64, AARCH64} {
			n, err := p.compileNotify(Target{arch, Kernel{6, 1}})
			if err != nil {
				t.Fatal(err)
			}
			u := n.Unshared()
			if got := (len(u.BPF) - len(n.BPF)) / instructionSize; got > prefixMax-20 {
				t.Errorf("%d instructions before the policy's, which leaves too few to others", got)
			}
			for _, name := range knownNames() {
				nr, ok := numberOn(arch, name)
				if !ok {
					continue
				}
				for _, args := range values {
					what := fmt.Sprintf("policy %d, %s: %s%#x", i, arch, name, args)
					want := run(t, n.BPF, nr, arch.audit(), args)
					if denied(name, args) {
						want = retNotify
						if d := u.Answer(arch.audit(), nr, args); d.Action != ActErrno || d.Errno == 0 {
							t.Errorf("%s: the answer is %s, want an errno", what, d)
						}
					}
					if got := run(t, u.BPF, nr, arch.audit(), args); got != want {
						t.Errorf("%s: the program returns %#x, want %#x", what, got, want)
					}
				}
			}
			if got := run(t, u.BPF, 41, auditI386, [6]uint64{1}); got != retNotify {
				t.Errorf("policy %d: a foreign architecture gets %#x, want %#x", i, got, retNotify)
			}
		}
	}
}
