// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"syscall"
)

// Numbers of the calls that Unshared refuses or looks into, x86_64's and AArch64's.
var (
	// unsharedRefused have no arguments by which some would do.
	unsharedRefused = map[string][2]uint32{
		"socket":         {41, 198},
		"io_uring_setup": {425, 425}, // makes sockets, by memory that no filter sees
		"memfd_create":   {319, 279},
		"memfd_secret":   {447, 447},
		"shmget":         {29, 194},
		"semget":         {64, 190},
		"msgget":         {68, 186},
		"mq_open":        {240, 180},
	}
	mmapNumber, socketpairNumber = [2]uint32{9, 222}, [2]uint32{53, 199}
)

// Values of linux/mman.h.
const (
	mapSharedAnonymous = 0x21 // MAP_SHARED|MAP_ANONYMOUS; MAP_SHARED_VALIDATE has the bit of MAP_SHARED too
	mapHugeTLB         = 0x40000
	sockType           = 0xf
)

// Codes of linux/bpf_common.h.
const bpfAnd, bpfAnySet = 0x54, 0x45 // BPF_ALU|BPF_AND|BPF_K, BPF_JMP|BPF_JSET|BPF_K

// Unshared returns n for a program that has no namespaces of its own, whatever the policy says. Two kinds of calls are refused:
//
//   - all that could reach a socket which somebody else has: socket(2) whatever the family, as an AF_UNIX socket connects to whoever
//     listens in the same file tree or network namespace; and socketpair(2) but for the types of AF_UNIX that can't be connected again.
//   - memory that stays when nothing maps it, and what the one IPC namespace keeps: System V IPC, POSIX message queues, memfds, shared
//     anonymous mappings, huge pages. No cgroup counts it, and it is not in what is read of the processes.
func (n NotifyProgram) Unshared() NotifyProgram {
	arch := 0
	if n.Target.Arch == AARCH64 {
		arch = 1
	}
	var refused []uint32
	for _, numbers := range unsharedRefused {
		refused = append(refused, numbers[arch])
	}
	slices.Sort(refused)
	const rest = 13 // instructions after the list, the last of which refuses
	var p prefix
	p.add(bpfLoad, 0, 0, atArch)
	p.add(bpfEqual, 0, uint8(1+len(refused)+rest), n.Target.Arch.audit()) // others are the policy's to kill
	p.add(bpfLoad, 0, 0, atNr)
	for i, nr := range refused {
		p.add(bpfEqual, uint8(len(refused)-1-i+rest-1), 0, nr)
	}
	p.add(bpfEqual, 0, 4, mmapNumber[arch])
	p.add(bpfLoad, 0, 0, atArg0+3*argSize)
	p.add(bpfAnySet, 9, 0, mapHugeTLB)
	p.add(bpfAnd, 0, 0, mapSharedAnonymous)
	p.add(bpfEqual, 7, 8, mapSharedAnonymous)
	p.add(bpfEqual, 0, 7, socketpairNumber[arch])
	p.add(bpfLoad, 0, 0, atArg0)
	p.add(bpfEqual, 0, 4, syscall.AF_UNIX)
	p.add(bpfLoad, 0, 0, atArg0+argSize)
	p.add(bpfAnd, 0, 0, sockType)
	p.add(bpfEqual, 2, 0, syscall.SOCK_STREAM)
	p.add(bpfEqual, 1, 0, syscall.SOCK_SEQPACKET)
	p.add(bpfReturn, 0, 0, retNotify)
	n.BPF = slices.Concat(p, n.BPF)
	n.refuses = shared
	return n
}

// shared refuses what Unshared does.
func shared(c Call) syscall.Errno {
	kind := uint32(c.Args[1]) & sockType
	switch _, refused := unsharedRefused[c.Name]; {
	case c.Name == "socket":
		return syscall.EAFNOSUPPORT
	case refused:
		return syscall.EPERM
	case c.Name == "mmap" && (uint32(c.Args[3])&mapHugeTLB != 0 || uint32(c.Args[3])&mapSharedAnonymous == mapSharedAnonymous):
		return syscall.EPERM
	case c.Name == "socketpair" && uint32(c.Args[0]) != syscall.AF_UNIX:
		return syscall.EAFNOSUPPORT
	case c.Name == "socketpair" && kind != syscall.SOCK_STREAM && kind != syscall.SOCK_SEQPACKET:
		return syscall.EPROTONOSUPPORT
	}
	return 0
}
