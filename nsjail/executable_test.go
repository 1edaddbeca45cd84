// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestSealed tries to write what sandboxes are started from, in both of its forms, as root of the host and, where that can be, of a user
// namespace that could change mounts of its own.
func TestSealed(t *testing.T) {
	requireSandbox(t)
	for _, tt := range []struct {
		name string
		seal func() (*os.File, error)
	}{
		{"overlay, or a copy where there is none", sealSelf},
		{"copy", func() (*os.File, error) { return sealCopy(ownExecutable) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := tt.seal()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
			same(t, path, ownExecutable)
			if err := tryToWrite(path); err != nil {
				t.Errorf("as root: %v", err)
			}
			// A detached mount belongs to no namespace, and whoever may mount anything could take a read-only attribute off.
			attr := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
			_ = unix.MountSetattr(int(f.Fd()), "", unix.AT_EMPTY_PATH, &attr)
			if err := tryToWrite(path); err != nil {
				t.Errorf("as root that has made the mount writable: %v", err)
			}
		})
	}
}

// TestNotSealed: what can be written is refused, on an overlay too.
func TestNotSealed(t *testing.T) {
	requireSandbox(t)
	plain, err := os.Create(filepath.Join(t.TempDir(), "plain"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	unsealed, err := unix.MemfdCreate("unsealed", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	memfd := os.NewFile(uintptr(unsealed), "unsealed")
	defer memfd.Close()
	files := []*os.File{plain, memfd}
	if f := onWritableOverlay(t); f != nil {
		files = append(files, f)
	}
	for _, f := range files {
		if onOverlay, err := isSealed(f); err == nil || onOverlay {
			t.Errorf("%s: %v, %v, want an error", f.Name(), onOverlay, err)
		}
	}
}

// onWritableOverlay returns a file on an overlay with a writable layer, or nil where there is no overlayfs.
func onWritableOverlay(t *testing.T) *os.File {
	t.Helper()
	context, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil
	}
	defer unix.Close(context)
	dir := dirOnDisk(t)
	for option, name := range map[string]string{"lowerdir": "lower", "upperdir": "upper", "workdir": "work"} {
		at := filepath.Join(dir, name)
		err = errors.Join(err, os.Mkdir(at, 0o755), unix.FsconfigSetString(context, option, at))
	}
	err = errors.Join(err, os.WriteFile(filepath.Join(dir, "lower/file"), nil, 0o755))
	if err == nil {
		err = unix.FsconfigCreate(context)
	}
	if err != nil {
		t.Fatal(err)
	}
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(mount)
	fd, err := unix.Openat(mount, "file", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "a file on a writable overlay")
	t.Cleanup(func() { f.Close() })
	return f
}

// tryToWrite is an error if the file could be written.
func tryToWrite(path string) error {
	for _, flags := range []int{os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND} {
		f, err := os.OpenFile(path, flags, 0)
		if err != nil {
			continue
		}
		defer f.Close()
		if _, err := f.WriteString("#!"); err == nil {
			return fmt.Errorf("open with flags %#x and write: it was written", flags)
		}
	}
	if err := os.Truncate(path, 0); err == nil {
		return errors.New("truncate: it was cut off")
	}
	return nil
}

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err1 := os.ReadFile(a)
	y, err2 := os.ReadFile(b)
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(x, y) {
		t.Errorf("%s has %d bytes, want the %d of %s; %v", a, len(x), len(y), b, err)
	}
}

// TestInitCannotBeWritten tries it from where a job would, with the id of root in the sandbox's user namespace, which owns sandbox-init.
func TestInitCannotBeWritten(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	if err := sb.Ready(); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/proc/%d/exe", sb.pid)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { // the thread ends with the goroutine
		runtime.LockOSThread()
		done <- asSandboxRoot(sb, func() error { return tryToWrite("/proc/1/exe") })
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := tryToWrite(path); err != nil {
		t.Errorf("as root of the host: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("what sandboxes start from was changed, %v", err)
	}
}

// asSandboxRoot has do run in a sandbox's tree with the id of its root. The user namespace itself is closed to processes with several
// threads.
func asSandboxRoot(sb *Sandbox, do func() error) error {
	mnt, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", sb.pid))
	if err != nil {
		return err
	}
	defer mnt.Close()
	if err := errors.Join(unix.Unshare(unix.CLONE_FS), unix.Setns(int(mnt.Fd()), unix.CLONE_NEWNS)); err != nil {
		return fmt.Errorf("enter the mount namespace: %w", err)
	}
	id := uintptr(sb.cfg.UIDMappings[0].HostID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 { // of this thread alone
		return errno
	}
	return do()
}

// replacedVar has the path of a copy of this test binary, in the process that runs from it.
const replacedVar = "SANDBOX_REPLACED"

// TestReplacedOnDisk: neither a file that is put in the place of the executable nor one that is written over it changes what a running
// daemon starts, nor what it starts a spawner from later. A copy of this binary plays the daemon.
func TestReplacedOnDisk(t *testing.T) {
	requireSandbox(t)
	exe := filepath.Join(t.TempDir(), "ccee")
	content, err := os.ReadFile(ownExecutable)
	if err == nil {
		err = os.WriteFile(exe, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(patience.Context(t), exe, "-test.v", "-test.run", "^TestRunsReplaced$")
	cmd.Env = append(os.Environ(), replacedVar+"="+exe, "SANDBOX_PROG="+shared.root+"/prog")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestRunsReplaced") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRunsReplaced is that daemon. Elsewhere it has nothing to look at.
func TestRunsReplaced(t *testing.T) {
	exe := os.Getenv(replacedVar)
	if exe == "" {
		return
	}
	b := requireSandbox(t)
	if err := os.WriteFile(exe, []byte("#!/bin/false"), 0o755); !errors.Is(err, unix.ETXTBSY) {
		t.Errorf("writing over it: %v, want %v", err, unix.ETXTBSY)
	}
	other := exe + ".new"
	if err := errors.Join(os.WriteFile(other, []byte("#!/bin/false"), 0o755), os.Rename(other, exe)); err != nil {
		t.Fatal(err)
	}
	same(t, "/proc/"+strconv.Itoa(b.spawner.cmd.Process.Pid)+"/exe", ownExecutable)
	later, err := newSpawner(ownExecutable, b.cgroups, b.root)
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	same(t, "/proc/"+strconv.Itoa(later.cmd.Process.Pid)+"/exe", ownExecutable)
	for _, s := range []*Spawner{b.spawner, later} {
		if r := (&box{b.root, b.cgroups, s}).run(t, process("hello")); r.Verdict != Exited {
			t.Errorf("%+v", r)
		}
	}
}

// TestSealedTakesNoMemory: what the binary links beside sandbox-init must not be memory of the daemon.
func TestSealedTakesNoMemory(t *testing.T) {
	requireSandbox(t)
	f, onOverlay, err := sealExecutable(ownExecutable)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if file, err := os.ReadFile("/proc/filesystems"); err == nil && !onOverlay && strings.Contains(string(file), "\toverlay\n") {
		t.Error("it is a copy in memory, although there is overlayfs here")
	}
}
