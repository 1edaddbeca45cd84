// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// host says which features of the kernel and the machine sandboxes can use.
type host struct {
	landlock int   // ABI version, 0: none; see landlock(7)
	smt      bool  // cores have several threads, which sandboxes must not share
	orphans  int64 // tcp_max_orphans, or the least that a kernel has by itself where it is not shown
	killable bool  // a call that waits for its notification's answer can be interrupted by SIGKILL alone; Linux 5.19

	initOnOverlay bool        // sandbox-init is executed from a mounted file system, which Landlock restricts; see sealExecutable
	cgroups       []cgroupDir // that a sandbox sees
}

// findKernel asks the kernel what it has.
func findKernel() (host, error) {
	var h host
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
		h.landlock = int(abi)
	case unix.ENOSYS, unix.EOPNOTSUPP: // not built in; not in the lsm= of the boot command line
	default:
		return h, fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	// EFAULT is about the filter, which is missing here; a flag that the kernel doesn't know is EINVAL.
	_, _, errno = unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0)
	h.killable = errno == unix.EFAULT
	return h, nil
}

// findHost asks the kernel, and looks at the machine.
func findHost() (host, error) {
	h, err := findKernel()
	if err != nil {
		return h, err
	}
	if h.orphans, err = readValue("/proc/sys/net/ipv4", "tcp_max_orphans", ""); err != nil { // not in a container's network namespace
		h.orphans = 4096
	}
	active, err := os.ReadFile("/sys/devices/system/cpu/smt/active")
	if err != nil && !errors.Is(err, os.ErrNotExist) { // no such file: built without SMT
		return h, fmt.Errorf("find out whether cores have several threads: %w", err)
	}
	h.smt = strings.TrimSpace(string(active)) == "1"
	if h.smt && !coreScheduling() {
		return h, errors.New("cores have several threads (SMT), on which jobs could listen to each other, and this kernel has no core " +
			"scheduling: use one with CONFIG_SCHED_CORE, or switch SMT off (echo off >/sys/devices/system/cpu/smt/control)")
	}
	return h, nil
}

// coreScheduling asks for our own cookie; see PR_SCHED_CORE(2const). EINVAL: the kernel knows no such thing.
func coreScheduling() bool {
	var cookie uint64
	err := unix.Prctl(unix.PR_SCHED_CORE, unix.PR_SCHED_CORE_GET, 0, unix.PR_SCHED_CORE_SCOPE_THREAD, uintptr(unsafe.Pointer(&cookie)))
	return err == nil
}

// hostCheck is for ccee doctor.
func hostCheck() Check {
	c := Check{Name: "Landlock", Fix: "add landlock to lsm= on the boot command line; it holds once more what mounts do"}
	h, err := findHost()
	if err != nil {
		return Check{Name: "host", Needed: true, Detail: err.Error(), Fix: "see the detail"}
	}
	c.OK, c.Detail = h.landlock > 0, fmt.Sprintf("ABI %d", h.landlock)
	if h.smt {
		c.Detail += "; core scheduling, as cores have several threads"
	}
	return c
}
