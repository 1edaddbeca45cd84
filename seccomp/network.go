package seccomp

import (
	"slices"
	"syscall"
)

// WithoutNetwork is a for a program that has no network, whatever the policy says: of sockets it gets those of AF_UNIX that the
// policy allows. It is not for the policy's author to say, so it is no rule of a policy: it stands before all of them.
func (a Asking) WithoutNetwork() Asking {
	socket, pair := uint32(41), uint32(53)
	if a.Target.Arch == AARCH64 {
		socket, pair = 198, 199
	}
	var p prefix
	p.add(bpfLoad, 0, 0, atArch)
	p.add(bpfEqual, 0, 6, a.Target.Arch.audit()) // others are the policy's to kill
	p.add(bpfLoad, 0, 0, atNr)
	p.add(bpfEqual, 1, 0, socket)
	p.add(bpfEqual, 0, 3, pair)
	p.add(bpfLoad, 0, 0, atArg0) // the kernel looks at no more of it
	p.add(bpfEqual, 1, 0, syscall.AF_UNIX)
	p.add(bpfReturn, 0, 0, retNotify)
	a.BPF = slices.Concat(p, a.BPF)
	a.offline = true
	return a
}

// isNetwork tells if the call makes a socket that a program without network doesn't get.
func isNetwork(c Call) bool {
	return (c.Name == "socket" || c.Name == "socketpair") && uint32(c.Args[0]) != syscall.AF_UNIX
}
