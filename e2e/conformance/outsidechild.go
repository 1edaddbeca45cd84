// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"syscall"
)

// outsideName is argv[0] of the process that outsideMain runs in.
const outsideName = "conformance-outside"

const sandboxUID = 1000

// outsideMain is the first process of the namespaces outside of a jail: it mounts, runs the steps, reaps, and answers. Runs as root
// and with the machine's files until a step is started, which is chrooted.
func outsideMain() int {
	answer, err := outsideSteps()
	if err != nil {
		answer.Error = err.Error()
	}
	if err := json.NewEncoder(os.NewFile(3, "answer")).Encode(answer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func outsideSteps() (answer outsideAnswer, err error) {
	var req outsideRequest
	if err := json.NewDecoder(os.Stdin).Decode(&req); err != nil {
		return answer, err
	}
	unix.CloseOnExec(3)
	if err := furnish(req.Root); err != nil {
		return answer, err
	}
	for _, name := range req.Hidden {
		if err := unix.Mount("/dev/null", filepath.Join(req.Root, name), "", unix.MS_BIND, ""); err != nil {
			return answer, fmt.Errorf("hide %s: %w", name, err)
		}
	}
	workspace := filepath.Join(req.Root, "workspace")
	if err := writeFiles(workspace, req.Files); err != nil {
		return answer, err
	}
	start := time.Now()
	for _, step := range req.Steps {
		start = time.Now()
		if answer.End, err = runStep(req.Root, step, req.Wall); err != nil {
			return answer, err
		}
		if step.Name == "compile" && answer.End != "exit 0" {
			answer.End = "compile: " + answer.End
			break
		}
	}
	answer.Wall = time.Since(start)
	if req.Report != "" {
		answer.Report, err = readReport(filepath.Join(workspace, req.Report))
	}
	return answer, err
}

// readReport reads what a program left, which may be anything: a link is not followed out of its root.
func readReport(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, generous.OutputFileBytes))
}

// furnish mounts over the image's mount points what a container without network has.
func furnish(root string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	owner := fmt.Sprintf("mode=755,uid=%d,gid=%d", sandboxUID, sandboxUID)
	mounts := []struct{ fstype, at, data string }{
		{"proc", "proc", ""}, {"tmpfs", "tmp", "mode=1777"}, {"tmpfs", "workspace", owner}, {"tmpfs", "dev", "mode=755"},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.fstype, filepath.Join(root, m.at), m.fstype, unix.MS_NOSUID, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.fstype, m.at, err)
		}
	}
	for _, m := range []struct{ fstype, at, data string }{{"devpts", "dev/pts", "newinstance,ptmxmode=0666,mode=620"}, {"tmpfs", "dev/shm", "mode=1777"}} {
		at := filepath.Join(root, m.at)
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.fstype, at, m.fstype, unix.MS_NOSUID|unix.MS_NOEXEC, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.fstype, m.at, err)
		}
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := device(filepath.Join(root, "dev", name), 1, minor); err != nil {
			return err
		}
	}
	if err := device(filepath.Join(root, "dev/tty"), 5, 0); err != nil {
		return err
	}
	for name, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join(root, "dev", name)); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte("sandbox")); err != nil {
		return err
	}
	return loopbackUp()
}

// device makes a character device that all may use. The machine's own would do, if nobody has changed its mode.
func device(name string, major, minor uint32) error {
	if err := unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(major, minor))); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return os.Chmod(name, 0o666)
}

// loopbackUp starts the one interface that a new network namespace has.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// runStep runs one step and kills what it leaves. This is process 1: whoever loses its parent becomes its child, so it waits for
// whatever ends.
func runStep(root string, step outsideStep, wall time.Duration) (string, error) {
	limit := unix.Rlimit{Cur: 1024, Max: 4096}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return "", err
	}
	unix.Umask(0o022)
	null, err := os.Open("/dev/null")
	if err != nil {
		return "", err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(step.Argv[0], step.Argv, &syscall.ProcAttr{
		Dir: "/workspace", Env: step.Env, Files: []uintptr{null.Fd(), 1, 2},
		Sys: &syscall.SysProcAttr{Chroot: root, Setsid: true, Credential: &syscall.Credential{Uid: sandboxUID, Gid: sandboxUID}},
	})
	if err != nil {
		return "", fmt.Errorf("start %s: %w", step.Argv[0], err)
	}
	late := time.AfterFunc(wall, func() { _ = unix.Kill(-1, unix.SIGKILL) })
	end := ""
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil) // os/exec has no child here. allowed: wait4-any
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // no child is left
			return end, nil
		case got == pid:
			end = endOfStatus(status)
			if !late.Stop() {
				end = "timeout"
			}
			_ = unix.Kill(-1, unix.SIGKILL)
		}
	}
}

func endOfStatus(s unix.WaitStatus) string {
	if s.Signaled() {
		return unix.SignalName(s.Signal())
	}
	return fmt.Sprintf("exit %d", s.ExitStatus())
}
