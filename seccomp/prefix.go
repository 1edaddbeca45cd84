// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/binary"
	"syscall"
)

// Prefixes stand before the rules of every policy: instructions of classic BPF, see bpf(2) and seccomp(2).

// prefix is such a part of a program.
type prefix []byte

// Codes of linux/bpf_common.h, and offsets in struct seccomp_data; of an argument, the low half, which on both targets comes first.
const (
	bpfLoad, bpfEqual, bpfReturn = 0x20, 0x15, 0x06 // BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
	atNr, atArch, atArg0         = 0, 4, 16
	argSize, highHalf            = 8, 4
)

// prefixMax are the instructions that may come to stand before those of a policy, here and in package nsjail.
const prefixMax = 64

// Values of linux/audit.h.
const (
	auditX86_64  = 0xc000003e
	auditAARCH64 = 0xc00000b7
	auditI386    = 0x40000003
	auditARM     = 0x40000028
	x32Bit       = 0x40000000 // in the numbers of x32's calls, whose architecture is x86_64's
)

// add appends an instruction that goes on yes or no instructions further.
func (p *prefix) add(code uint16, yes, no uint8, k uint32) {
	*p = binary.NativeEndian.AppendUint16(*p, code)
	*p = append(*p, yes, no)
	*p = binary.NativeEndian.AppendUint32(*p, k)
}

func (a Arch) audit() uint32 {
	if a == AARCH64 {
		return auditAARCH64
	}
	return auditX86_64
}

// rlimitCore is RLIMIT_CORE.
const rlimitCore = 4

// keepCoreLimit keeps the limit on core files that the sandbox has set, and returns success to programs that change it. The kernel starts
// the host's handler of crashes (a core_pattern with a |) as root and outside of all limits, whatever the limit is, unless it is 1; see
// core(5) and fs/coredump.c. Programs set it to 0 to have no core files, and have none with 1 either.
//
// prlimit(2) that asks for the old limit in the same call can't be answered so, as nothing would be written there: it is refused.
func keepCoreLimit(arch Arch, refusal uint32) prefix {
	setrlimit, prlimit64 := uint32(160), uint32(302)
	if arch == AARCH64 {
		setrlimit, prlimit64 = 164, 261
	}
	var p prefix
	arg := func(i uint32) { p.add(bpfLoad, 0, 0, atArg0+argSize*i) }
	p.add(bpfLoad, 0, 0, atNr) // first: all other calls come through here, when the kernel loads the filter too
	p.add(bpfEqual, 0, 4, setrlimit)
	p.add(bpfLoad, 0, 0, atArch)
	p.add(bpfEqual, 0, 17, arch.audit()) // others are the rules' to refuse
	arg(0)
	p.add(bpfEqual, 14, 15, rlimitCore)
	p.add(bpfEqual, 0, 14, prlimit64)
	p.add(bpfLoad, 0, 0, atArch)
	p.add(bpfEqual, 0, 12, arch.audit())
	arg(1)
	p.add(bpfEqual, 0, 10, rlimitCore)
	arg(2) // the new limit: NULL only asks
	p.add(bpfEqual, 0, 2, 0)
	p.add(bpfLoad, 0, 0, atArg0+argSize*2+highHalf)
	p.add(bpfEqual, 6, 0, 0)
	arg(3) // where the old limit goes
	p.add(bpfEqual, 0, 2, 0)
	p.add(bpfLoad, 0, 0, atArg0+argSize*3+highHalf)
	p.add(bpfEqual, 1, 0, 0)
	p.add(bpfReturn, 0, 0, refusal)
	p.add(bpfReturn, 0, 0, retErrno)
	return p
}

// coreLimit is the decision of keepCoreLimit about a call, if it makes one.
func coreLimit(c Call) (Decision, bool) {
	isCore := func(arg uint64) bool { return uint32(arg) == rlimitCore }
	switch {
	case c.Name == "setrlimit" && isCore(c.Args[0]), c.Name == "prlimit64" && isCore(c.Args[1]) && c.Args[2] != 0 && c.Args[3] == 0:
		return Decision{Action: ActErrno, Rule: CoreLimit}, true
	case c.Name == "prlimit64" && isCore(c.Args[1]) && c.Args[2] != 0:
		return Decision{Action: ActErrno, Errno: syscall.EPERM, Rule: CoreLimit}, true
	}
	return Decision{}, false
}
