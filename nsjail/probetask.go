// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ProbeTask tries what a Task needs, and what it can use. What is there of namespaces is no matter for it, but says whether this host could
// have the stronger sandbox.
func ProbeTask(places []string) []Check {
	checks := []Check{rootCheck(), taskKernelCheck(), capabilityCheck(), notifyCheck(), landlockCheck(), namespaceCheck()}
	return append(checks, placeChecks(places)...)
}

// missing is an error for the first of checks that is needed and not there.
func missing(checks []Check) error {
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Needed && !c.OK })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%s: %s; %s", checks[i].Name, checks[i].Detail, checks[i].Fix)
}

// taskKernelCheck: 5.10 is what Fargate has had. Of what is newer there is another way or it is left out.
func taskKernelCheck() Check {
	c := kernelCheck()
	var major, minor int
	_, _ = fmt.Sscanf(strings.TrimPrefix(c.Detail, "Linux "), "%d.%d", &major, &minor)
	c.OK = major > 5 || major == 5 && minor >= 10
	c.Fix = "use Linux 5.10 or newer (seccomp notifications that continue, close_range, openat2)"
	return c
}

// capabilityCheck looks at what is effective; see capabilities(7).
func capabilityCheck() Check {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	err := unix.Capget(&header, &sets[0])
	const needed = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	return Check{
		Name: "capabilities", Needed: true, OK: err == nil && sets[0].Effective&needed == needed,
		Detail: fmt.Sprintf("effective %#x", uint64(sets[1].Effective)<<32|uint64(sets[0].Effective)),
		Fix:    "keep CAP_SETUID and CAP_SETGID: a program gets a uid of its own by them",
	}
}

// notifyCheck asks for the action that filters use; see seccomp(2).
func notifyCheck() Check {
	action := uint32(unix.SECCOMP_RET_USER_NOTIF)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return Check{
		Name: "seccomp", Needed: true, OK: errno == 0, Detail: fmt.Sprintf("user notifications: %v", errno),
		Fix: "use Linux 5.5 or newer, and a container whose own filter allows seccomp(2)",
	}
}

func landlockCheck() Check {
	h, err := findKernel()
	c := Check{Name: "Landlock", OK: err == nil && h.landlock > 0, Detail: fmt.Sprintf("ABI %d", h.landlock)}
	if c.Fix = "without it, programs may read what anybody may, and write where anybody may; it is cleared after each"; err != nil {
		c.Detail = err.Error()
	}
	return c
}

// namespaceCheck tries, in a child, the namespaces that a jail has.
func namespaceCheck() Check {
	var refused []string
	for name, flag := range map[string]uintptr{"user": unix.CLONE_NEWUSER, "mount": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID} {
		cmd := &exec.Cmd{
			Path: ownExecutable, Args: []string{"sandbox-init"}, Env: []string{}, // which ends at once: it has no socket
			SysProcAttr: &syscall.SysProcAttr{Cloneflags: flag},
		}
		if err := cmd.Start(); err != nil {
			refused = append(refused, name)
			continue
		}
		_ = cmd.Wait()
	}
	slices.Sort(refused)
	if len(refused) == 0 {
		return Check{Name: "namespaces", OK: true, Detail: "all can be made: this host may be able to have the tier jail, which holds more"}
	}
	return Check{Name: "namespaces", OK: true, Detail: "refused: " + strings.Join(refused, ", ")}
}

func placeChecks(places []string) (checks []Check) {
	for _, dir := range places {
		c := Check{Name: dir, Needed: true, OK: true, Detail: "a tmpfs", Fix: "mount a tmpfs there (on ECS linuxParameters.tmpfs)"}
		if _, err := newPlace(dir); err != nil {
			c.OK, c.Detail = false, err.Error()
		}
		checks = append(checks, c)
	}
	return checks
}
