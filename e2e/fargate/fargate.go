// SPDX-License-Identifier: Apache-2.0

// Package fargate puts a process into the shape that a container has on AWS Fargate: root with CAP_SETUID, CAP_SETGID and CAP_KILL, which
// a task definition leaves when it drops the others by name; Docker's published system call profile; a read-only root, and a tmpfs wherever
// something may be written. It imitates what system calls and capabilities give there, not the machine. Only tests import it.
//
// It needs root, but no container engine: what an engine does is done here, in namespaces that the process then has no right to change.
package fargate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	docker "github.com/moby/profiles/seccomp"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/seccomp"
)

// Shape is what a process gets besides.
type Shape struct {
	Root     string            // directory that becomes its root, read-only; "" for the host's
	Writable []string          // directories in it that become a tmpfs with the mode 1777
	Copies   map[string]string // files of the host by their name in one of Writable
	Args     []string          // Args[0] is a path in Root
	Env      []string
}

// variable hands a Shape to the process that takes it.
const variable = "CCEE_FARGATE_SHAPE"

// inside is set in a test that Run has started.
const inside = "CCEE_FARGATE_INSIDE"

// Enter must be called first by TestMain of a package that uses this one: where the process was started by Command, it becomes the shape's.
func Enter() {
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	var s Shape
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = s.become()
	}
	fmt.Fprintln(os.Stderr, "fargate:", err)
	os.Exit(125)
}

// Command is the shape's process, as a child of this one; Enter must be called in it. It is the first one of its pid namespace.
func (s Shape) Command() (*exec.Cmd, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL}
	return cmd, nil
}

// Run runs the test once more, in a process of the shape without Args, and reports whether this is that process: then its body must follow.
// In the test's own process it shows what the other one said.
func Run(t *testing.T, s Shape) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	s.Args = []string{"/proc/self/exe", "-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=5m"}
	s.Env = append(os.Environ(), append(s.Env, inside+"="+t.Name())...)
	cmd, err := s.Command()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatal("the test did not run in there")
	}
	return false
}

// become makes the shape of this process and executes its program. It returns only with an error.
func (s Shape) become() error {
	runtime.LockOSThread() // capabilities and filters belong to a thread
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	filter, err := dockerFilter()
	if err != nil {
		return err
	}
	if err := s.mount(); err != nil {
		return err
	}
	if err := confine(filter); err != nil {
		return err
	}
	if s.Args[0] == "/proc/self/exe" {
		s.Args[0] = exe
	}
	return os.NewSyscallError("execve "+s.Args[0], unix.Exec(s.Args[0], s.Args, s.Env))
}

// mount makes the file tree.
func (s Shape) mount() error {
	const bind = unix.MS_BIND | unix.MS_REC
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount /", err)
	}
	if s.Root != "" {
		if err := unix.Mount(s.Root, s.Root, "", bind, ""); err != nil {
			return os.NewSyscallError("bind "+s.Root, err)
		}
	}
	for _, dir := range s.Writable {
		to := filepath.Join(s.Root, dir)
		if err := unix.Mount("tmpfs", to, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=512m"); err != nil {
			return os.NewSyscallError("mount "+dir, err)
		}
	}
	for name, from := range s.Copies {
		if err := copyFile(from, filepath.Join(s.Root, name)); err != nil {
			return err
		}
	}
	proc := filepath.Join(s.Root, "/proc")
	if err := unix.Mount("proc", proc, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return os.NewSyscallError("mount "+proc, err)
	}
	for _, dir := range []string{"sys", "bus", "fs", "irq"} { // as Docker has them
		to := filepath.Join(proc, dir)
		err := unix.Mount(to, to, "", bind, "")
		if err == nil {
			err = unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}
		if err != nil {
			return os.NewSyscallError("mount "+to, err)
		}
	}
	if s.Root == "" {
		return nil
	}
	if err := s.devices(); err != nil {
		return err
	}
	if err := unix.Mount("", s.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NODEV, ""); err != nil {
		return os.NewSyscallError("remount "+s.Root, err)
	}
	if err := unix.Chdir(s.Root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	return os.NewSyscallError("umount", unix.Unmount(".", unix.MNT_DETACH))
}

// devices binds those that every container has, over files that Root must have.
func (s Shape) devices() error {
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		to := filepath.Join(s.Root, "dev", name)
		if err := unix.Mount("/dev/"+name, to, "", unix.MS_BIND, ""); err != nil {
			return os.NewSyscallError("bind "+to, err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		return err
	}
	return os.Chmod(to, 0o755)
}

// dockerFilter compiles Docker's profile for a container that has none of the capabilities which allow more.
func dockerFilter() ([]byte, error) {
	text, err := json.Marshal(docker.DefaultProfile())
	if err != nil {
		return nil, err
	}
	policy, err := seccomp.Parse(text)
	if err != nil {
		return nil, err
	}
	program, err := policy.Compile()
	if err != nil {
		return nil, err
	}
	// Before the rules of every policy stand 21 instructions that keep a limit on core files, and end in two returns. They are ours and not
	// Docker's, and would keep sandbox-init from setting that limit.
	const size, ours = 8, 21
	b := program.BPF
	if len(b) < (ours+1)*size || b[(ours-1)*size] != 0x06 || b[(ours-2)*size] != 0x06 || b[ours*size] == 0x06 {
		return nil, errors.New("what stands before the rules of a policy has changed")
	}
	return b[ours*size:], nil
}

// kept are the capabilities that a task definition leaves.
var kept = []uint{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL}

// confine loads the filter and gives up all capabilities but those that are kept.
func confine(filter []byte) error {
	program := unix.SockFprog{Len: uint16(len(filter) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	var mask uint32
	for _, c := range kept {
		mask |= 1 << c
	}
	for c := uintptr(0); ; c++ {
		if c < 32 && mask&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err == unix.EINVAL {
			break
		} else if err != nil {
			return os.NewSyscallError("prctl", err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	sets := [2]unix.CapUserData{{Effective: mask, Permitted: mask}}
	return os.NewSyscallError("capset", unix.Capset(&header, &sets[0]))
}
