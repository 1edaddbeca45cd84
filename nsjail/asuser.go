// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// The daemon acts on processes and files of a user as that user: root of a container may have no rights to them, and by mistake it would
// have too many. Ids belong to a thread, for the kernel.

// onThread calls do on a thread that runs nothing else meanwhile, and never on the first one: changed ids clear its parent-death signal,
// by which the daemon ends with ccee up. do must restore the ids; a thread whose ids could not be restored is not used again.
func onThread(do func() (restored bool, err error)) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			err := onThread(do) // on another: this one is held here
			runtime.UnlockOSThread()
			done <- err
			return
		}
		restored, err := do()
		if restored {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// asOwner calls do with the rights to files that the user has; see setfsuid(2).
func asOwner(uid, gid int, do func() error) error {
	return onThread(func() (bool, error) {
		err := setFileIDs(uid, gid)
		if err == nil {
			err = do()
		}
		return setFileIDs(0, 0) == nil, err
	})
}

// setFileIDs sets the ids by which this thread accesses files. Neither call says whether it worked.
func setFileIDs(uid, gid int) error {
	set := func(call uintptr, id int) bool {
		_, _, _ = unix.RawSyscall(call, uintptr(id), 0, 0)
		now, _, _ := unix.RawSyscall(call, ^uintptr(0), 0, 0)
		return int(now) == id
	}
	if !set(unix.SYS_SETFSGID, gid) || !set(unix.SYS_SETFSUID, uid) {
		return fmt.Errorf("setfsuid %d: %w", uid, unix.EPERM)
	}
	return nil
}

// kill kills all processes of u at once: kill(-1) by one whose effective uid is theirs, and whose real and saved ids they can't signal. A
// process in the middle of fork gets the signal before its child is there; see copy_process in kernel/fork.c.
func (u *user) kill() error {
	return onThread(func() (bool, error) {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(u.keeper), uintptr(u.program), 0); errno != 0 {
			return true, os.NewSyscallError("setresuid", errno)
		}
		var err error
		// As root it would be everybody.
		if real, effective, _ := unix.Getresuid(); real != u.keeper || effective != u.program || real < leastID || effective < leastID {
			err = fmt.Errorf("setresuid: the ids are %d and %d, want %d and %d", real, effective, u.keeper, u.program)
		} else if errno := unix.Kill(-1, unix.SIGKILL); errno != nil && errno != unix.ESRCH {
			err = os.NewSyscallError("kill", errno)
		}
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 0, 0, 0)
		return errno == 0, err
	})
}

// killWait bounds how long processes that were killed may take to be gone.
const killWait = 10 * time.Second

// killAll kills the processes of u and waits until none is left.
func (u *user) killAll() error {
	for end, pause := time.Now().Add(killWait), 100*time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		left, err := processes{}, u.kill()
		if err == nil {
			left, err = sampleProcesses(u.program) // kill succeeds whoever there is
		}
		switch {
		case err == nil && len(left.list) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("kill the processes of uid %d: %w", u.program, err)
		case time.Now().After(end):
			return fmt.Errorf("processes of uid %d are still there %v after they were killed", u.program, killWait)
		}
		time.Sleep(pause) // they are somebody else's children: nothing announces their end
	}
}

// AsOwner calls do with the rights to files of sb's program, on one thread; where sb has a user namespace with those of the caller, who has
// all. It is for reading what is beneath Dir.
func (sb *Sandbox) AsOwner(do func()) error {
	if sb.user == nil {
		do()
		return nil
	}
	return asOwner(sb.user.program, sb.user.group, func() error {
		do()
		return nil
	})
}
