// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// This file is the set-up order of sandboxes in a Task, as program.go is that of all others.

// taskStageProgram prepares the process that sandboxes are cloned from.
func taskStageProgram() []op {
	return []op{
		{code: opUninherit, arg: [4]uint64{1}, note: "but for a low priority"},
		{code: opProcWrite, arg: [4]uint64{1}, strs: []string{"/proc/self/coredump_filter", "0"}, note: "if it is there"},
		// Whoever loses its sandbox-init comes here, where the kernel reaps; the first process of the container may not do that.
		{code: opSubreaper},
		{code: opWait},
	}
}

// taskProgram sets up one sandbox, from the clone to WAIT.
func taskProgram(cfg Config, h host, u *user) []op {
	ops := []op{
		// Before the ids: after it /proc/self is closed.
		{code: opProcWrite, strs: []string{"/proc/self/oom_score_adj", "1000"}},
		{code: opNotDumpable},
		{code: opBase, strs: []string{"/"}},
		// From here on files are the program's, and opened with its rights: root of a container has none to files of others.
		{
			code: opShared, arg: [4]uint64{uint64(u.keeper), uint64(u.program), uint64(u.group)},
			note: fmt.Sprintf("keeper %d program %d group %d", u.keeper, u.program, u.group),
		},
		// After the ids: changing them clears it.
		{code: opDeathSignal, arg: [4]uint64{uint64(unix.SIGKILL)}, note: "SIGKILL"},
	}
	if cfg.OpenDir != "" {
		ops = append(ops, op{code: opOpen, strs: []string{rel(cfg.OpenDir)}})
	}
	return append(append(ops, h.taskLandlock(u)...), op{code: opWait})
}

// taskReadable are the directories that programs need of a Debian system, as far as they are there and no links: /run, /var, /root and
// /sys are not among them.
var taskReadable = []string{"usr", "bin", "sbin", "lib", "lib32", "lib64", "opt", "etc"}

// taskDevices may be read. No one but null may be written: a shared mapping of zero is memory that no process need have mapped.
var taskDevices = []string{"dev/null", "dev/zero", "dev/full", "dev/random", "dev/urandom"}

// taskLandlock restricts the program to what it needs of the daemon's root.
func (h host) taskLandlock(u *user) []op {
	if h.landlock == 0 {
		return nil
	}
	const readFile, execute = unix.LANDLOCK_ACCESS_FS_READ_FILE, unix.LANDLOCK_ACCESS_FS_EXECUTE
	ruleset := h.landlockRuleset(false)
	control := ruleset.all & unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	ops := []op{ruleset.op(), permit("proc", landlockRead), {code: opPermitSelf, arg: [4]uint64{execute | readFile}}}
	for _, dir := range taskReadable {
		if st, err := os.Lstat("/" + dir); err == nil && st.IsDir() {
			ops = append(ops, permit(dir, landlockRead|execute))
		}
	}
	for _, device := range taskDevices {
		access := readFile | control
		if device == "dev/null" {
			access |= unix.LANDLOCK_ACCESS_FS_WRITE_FILE | ruleset.all&unix.LANDLOCK_ACCESS_FS_TRUNCATE
		}
		if st, err := os.Lstat("/" + device); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			ops = append(ops, permit(device, access))
		}
	}
	for _, p := range u.places {
		ops = append(ops, permit(rel(p.dir), landlockRead|execute|ruleset.write))
	}
	return ops
}
