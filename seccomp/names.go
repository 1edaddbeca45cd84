// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"slices"
	"strings"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// newer returns the number of a system call that libseccomp 2.5 doesn't know, or -1 where the architecture has no such call.
// From 424 on, new calls have the same number on every architecture.
func newer(name string, arch Arch) (nr int, ok bool) {
	const (
		firstCommon = 451
		uretprobe   = 335 // x86_64
		uprobe      = 336
	)
	switch {
	case name == "uretprobe" && arch == X86_64:
		return uretprobe, true
	case name == "uprobe" && arch == X86_64:
		return uprobe, true
	case name == "uretprobe" || name == "uprobe" || name == "riscv_hwprobe":
		return -1, true
	}
	i := slices.Index(newerNames(), name)
	return firstCommon + i, i >= 0
}

func newerNames() []string {
	return strings.Fields(`cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
		lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr
		file_getattr file_setattr listns rseq_slice_yield`)
}

// checkName refuses names of which no kernel has a call.
func checkName(name string) error {
	// Else libseccomp would read "read\x00" as "read".
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("%q is not the name of a system call", name)
	}
	if _, err := libseccomp.GetSyscallFromName(name); err == nil {
		return nil
	}
	if _, ok := newer(name, X86_64); ok {
		return nil
	}
	return fmt.Errorf("there is no system call %q%s", name, hint(name, knownNames()))
}

// knownNames lists the calls that libseccomp knows of the architectures that a profile is likely to name.
func knownNames() []string {
	names := newerNames()
	for _, arch := range []libseccomp.ScmpArch{libseccomp.ArchAMD64, libseccomp.ArchARM64, libseccomp.ArchX86} {
		for nr := range libseccomp.ScmpSyscall(600) {
			if name, err := nr.GetNameByArch(arch); err == nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// hint proposes the name that is nearest to a misspelt one, if one is near.
func hint(name string, known []string) string {
	const longest = 64 // comparing takes the product of the lengths
	if len(name) > longest {
		return ""
	}
	best, limit := "", 1+len(name)/4 // edits
	for _, k := range known {
		if d := distance(name, k); d < limit || d == limit && (best == "" || k < best) {
			best, limit = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of letters to insert, delete or replace that turns a into b, whatever their case.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1) // row[j]: from the first i letters of a to the first j of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
