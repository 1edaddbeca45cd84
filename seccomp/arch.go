// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Arch is a system call ABI in libseccomp's words.
type Arch string

// The architectures that policies can be compiled for.
const (
	X86_64  Arch = "SCMP_ARCH_X86_64"
	AARCH64 Arch = "SCMP_ARCH_AARCH64"
)

// otherArchs are those that a policy may list too, without effect.
const otherArchs = ` SCMP_ARCH_X86 SCMP_ARCH_X32 SCMP_ARCH_ARM SCMP_ARCH_MIPS SCMP_ARCH_MIPS64 SCMP_ARCH_MIPS64N32
 SCMP_ARCH_MIPSEL SCMP_ARCH_MIPSEL64 SCMP_ARCH_MIPSEL64N32 SCMP_ARCH_PPC SCMP_ARCH_PPC64 SCMP_ARCH_PPC64LE SCMP_ARCH_S390
 SCMP_ARCH_S390X SCMP_ARCH_PARISC SCMP_ARCH_PARISC64 SCMP_ARCH_RISCV64 SCMP_ARCH_LOONGARCH64 SCMP_ARCH_M68K SCMP_ARCH_SH
 SCMP_ARCH_SHEB SCMP_ARCH_NATIVE `

func (a Arch) known() bool {
	return a == X86_64 || a == AARCH64 || slices.Contains(strings.Fields(otherArchs), string(a))
}

// goarch is the architecture in Go's words, which Docker's includes and excludes use.
func (a Arch) goarch() string {
	switch a {
	case X86_64:
		return "amd64"
	case AARCH64:
		return "arm64"
	}
	return ""
}

// scmp is the architecture in libseccomp-golang's words.
func (a Arch) scmp() libseccomp.ScmpArch {
	switch a {
	case X86_64:
		return libseccomp.ArchAMD64
	case AARCH64:
		return libseccomp.ArchARM64
	}
	return libseccomp.ArchInvalid
}

// Kernel is a kernel's version.
type Kernel struct{ Major, Minor int }

func (k Kernel) atLeast(min Kernel) bool {
	return k.Major > min.Major || k.Major == min.Major && k.Minor >= min.Minor
}

// parseKernel reads the first two numbers of a release: "6.18.44-cloud" is 6.18.
func parseKernel(release string) (Kernel, error) {
	major, rest, _ := strings.Cut(release, ".")
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	k, err := Kernel{}, error(nil)
	if k.Major, err = strconv.Atoi(major); err == nil {
		k.Minor, err = strconv.Atoi(rest[:digits])
	}
	if err != nil || k.Major < 0 {
		return Kernel{}, fmt.Errorf("%q is not a kernel version like 4.8", release)
	}
	return k, nil
}

// Target is the architecture and kernel that a policy is compiled for.
type Target struct {
	Arch   Arch
	Kernel Kernel
}

// Host returns this machine as a Target.
func Host() (Target, error) {
	var t Target
	for _, a := range []Arch{X86_64, AARCH64} {
		if a.goarch() == runtime.GOARCH {
			t.Arch = a
		}
	}
	if t.Arch == "" {
		return Target{}, fmt.Errorf("seccomp: no policy can be compiled for %s, only for amd64 and arm64", runtime.GOARCH)
	}
	var uts syscall.Utsname
	if err := syscall.Uname(&uts); err != nil {
		return Target{}, fmt.Errorf("seccomp: uname: %w", err)
	}
	var release []byte
	for _, c := range uts.Release { // signed on amd64, unsigned on arm64
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	k, err := parseKernel(string(release))
	if err != nil {
		return Target{}, fmt.Errorf("seccomp: uname: %w", err)
	}
	t.Kernel = k
	return t, nil
}
