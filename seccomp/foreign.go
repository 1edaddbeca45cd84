// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// foreign reports whether a call is of an ABI other than the target's. x32 has the architecture of x86_64; -1 is the number that a tracer
// gives to a call to skip it.
func (t Target) foreign(audit uint32, nr int32) bool {
	return audit != t.Arch.audit() || t.Arch == X86_64 && nr != -1 && uint32(nr) >= x32Bit
}

// NameOn returns the name of a call as a filter of the target sees it, "getpid", with its ABI where that is a foreign one: "getpid (i386)".
// known reports whether there is a call of that number.
func (t Target) NameOn(audit uint32, nr int32) (name string, known bool) {
	if !t.foreign(audit, nr) {
		return Name(nr, t.Arch), Known(nr, t.Arch)
	}
	abi, arch := fmt.Sprintf("architecture %#x", audit), libseccomp.ArchInvalid
	switch audit {
	case auditI386:
		abi, arch = "i386", libseccomp.ArchX86
	case auditARM:
		abi, arch = "arm", libseccomp.ArchARM
	case auditX86_64:
		abi, arch = "x32", libseccomp.ArchX32
	}
	name, err := libseccomp.ScmpSyscall(nr).GetNameByArch(arch)
	if err != nil {
		return fmt.Sprintf("syscall_%d (%s)", nr, abi), false
	}
	return fmt.Sprintf("%s (%s)", name, abi), true
}
