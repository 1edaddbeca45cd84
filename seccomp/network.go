// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"syscall"
)

// WithoutNetwork returns n for a program that has no network, whatever the policy says: it gets no sockets but those of AF_UNIX that the
// policy allows. The policy's author has no say in that, so it is no rule of a policy: it stands before all of them.
func (n NotifyProgram) WithoutNetwork() NotifyProgram {
	socket, pair := uint32(41), uint32(53)
	if n.Target.Arch == AARCH64 {
		socket, pair = 198, 199
	}
	var p prefix
	p.add(bpfLoad, 0, 0, atArch)
	p.add(bpfEqual, 0, 6, n.Target.Arch.audit()) // others are the policy's to kill
	p.add(bpfLoad, 0, 0, atNr)
	p.add(bpfEqual, 1, 0, socket)
	p.add(bpfEqual, 0, 3, pair)
	p.add(bpfLoad, 0, 0, atArg0) // the kernel looks at no more of it
	p.add(bpfEqual, 1, 0, syscall.AF_UNIX)
	p.add(bpfReturn, 0, 0, retNotify)
	n.BPF = slices.Concat(p, n.BPF)
	n.refuses = network
	return n
}

// network refuses calls that make a socket which a program without network doesn't get.
func network(c Call) syscall.Errno {
	if (c.Name == "socket" || c.Name == "socketpair") && uint32(c.Args[0]) != syscall.AF_UNIX {
		return syscall.EAFNOSUPPORT
	}
	return 0
}
