package seccomp

import (
	"encoding/binary"
	"slices"
	"syscall"
)

// WithoutNetwork is a for a program that has no network, whatever the policy says: of sockets it gets those of AF_UNIX that the
// policy allows. It is not for the policy's author to say, so it is no rule of a policy: it stands before all of them.
func (a Asking) WithoutNetwork() Asking {
	const (
		load, equal, ret = 0x20, 0x15, 0x06 // BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
		nr, arch, arg0   = 0, 4, 16         // offsets in struct seccomp_data; of the argument, the low half: the kernel looks at no more
	)
	audit, socket, pair := uint32(0xc000003e), uint32(41), uint32(53) // AUDIT_ARCH_X86_64
	if a.Target.Arch == AARCH64 {
		audit, socket, pair = 0xc00000b7, 198, 199
	}
	var prefix []byte
	add := func(code uint16, yes, no uint8, k uint32) {
		prefix = binary.NativeEndian.AppendUint16(prefix, code)
		prefix = append(prefix, yes, no)
		prefix = binary.NativeEndian.AppendUint32(prefix, k)
	}
	add(load, 0, 0, arch)
	add(equal, 0, 6, audit) // others are the policy's to kill
	add(load, 0, 0, nr)
	add(equal, 1, 0, socket)
	add(equal, 0, 3, pair)
	add(load, 0, 0, arg0)
	add(equal, 1, 0, syscall.AF_UNIX)
	add(ret, 0, 0, retNotify)
	a.BPF = slices.Concat(prefix, a.BPF)
	a.offline = true
	return a
}

// isNetwork tells if the call makes a socket that a program without network doesn't get.
func isNetwork(c Call) bool {
	return (c.Name == "socket" || c.Name == "socketpair") && uint32(c.Args[0]) != syscall.AF_UNIX
}
