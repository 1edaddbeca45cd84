// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// container is how a container manager may set up the place that a daemon finds itself in: a cgroup namespace whose root is
// the cgroup that the daemon is in, a pid namespace, and the cgroup tree on a mount of its own.
type container struct {
	Controllers string // that are delegated
	ReadOnly    bool   // the mount
	Beside      bool   // another process of the container is there
}

// containerVar tells this test binary that it is the first process of a container.
const containerVar = "NSJAIL_TEST_CONTAINER"

// Of this container: the other process, or nil, and what was found of cgroup.kill before there were cgroups below its own.
var (
	beside *exec.Cmd
	kill   Check
)

// TestContainer runs tests of this package once more, or sees the sandbox refused with the reason, in each kind of container.
func TestContainer(t *testing.T) {
	b := requireSandbox(t)
	const all = "+memory +cpu +pids"
	for _, tt := range []struct {
		name     string
		in       container
		stranger bool   // a process from outside is in the container's cgroup
		says     string // what the refusal must contain; "": it works
	}{
		{name: "alone", in: container{Controllers: all}},
		{name: "with another process", in: container{Controllers: all, Beside: true}},
		{name: "read-only", in: container{ReadOnly: true}, says: "/sys/fs/cgroup is mounted read-only: start the container with --privileged"},
		{name: "nothing delegated", says: "controller memory is not delegated to this container"},
		{name: "no memory", in: container{Controllers: "+cpu +pids"}, says: "controller memory is not delegated to this container"},
		{name: "a process from outside", in: container{Controllers: all}, stranger: true, says: "processes of another pid namespace (1) are in /sys/fs/cgroup"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cg := containerCgroup(t, b.cgroups.at, tt.in.Controllers)
			if tt.stranger {
				wait := startInCgroup(t, cg)
				t.Cleanup(func() { cg.kill(); wait() })
			}
			out, err := runContainer(t, cg, tt.in)
			switch {
			case tt.says == "" && (err != nil || !strings.Contains(out, "--- PASS: TestInContainer")):
				t.Errorf("%v\n%s", err, out)
			case tt.says != "" && (err == nil || !strings.Contains(out, tt.says)):
				t.Errorf("%v\n%s\nwant an error with %q", err, out, tt.says)
			}
			if named := strings.Contains(out, "controller cpu"); tt.says != "" && named != (tt.in == container{}) {
				t.Errorf("the controller cpu named: %v\n%s", named, out)
			}
		})
	}
}

// containerCgroup makes a cgroup, beside that of the other tests, to which controllers are delegated.
func containerCgroup(t *testing.T, at hierarchies, delegated string) *cgroup {
	t.Helper()
	switch {
	case at.unified == "":
		t.Skip("there is no cgroup v2 tree: make test-vm has one")
	case !at.v2() && delegated != "":
		t.Skip("the controllers are not on v2: in make test-vm they are")
	}
	outer := filepath.Join(filepath.Dir(at.unified), fmt.Sprintf("ccee-container-%d", os.Getpid()))
	inner := outer + "/inner"
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The container made cgroups of its own; from the deepest on they can be removed.
		for _, pattern := range []string{inner + "/*/*", inner + "/*", inner, outer} {
			dirs, _ := filepath.Glob(pattern)
			for _, dir := range dirs {
				if info, err := os.Stat(dir); err == nil && info.IsDir() {
					if err := removeDir(dir); err != nil {
						t.Error(err)
					}
				}
			}
		}
	})
	if err := writeFile(outer, "cgroup.subtree_control", delegated); delegated != "" && err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(inner, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &cgroup{at: hierarchies{unified: inner, memory: inner, cpu: inner, pids: inner}, fd: fd}
}

// runContainer runs this test binary as the first process of a container.
func runContainer(t *testing.T, cg *cgroup, in container) (string, error) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(patience.Context(t), "/proc/self/exe", "-test.v", "-test.run", "^Test(InContainer|Verdicts|Inside|NothingIsLeft|Sweep|Probe)$")
	cmd.Env = append(os.Environ(), containerVar+"="+string(text), "SANDBOX_MUST_WORK=1", "SANDBOX_PROG="+shared.root+"/prog")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		UseCgroupFD: true, CgroupFD: cg.fd, Cloneflags: unix.CLONE_NEWPID,
		Unshareflags: unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP, // not cloned: the namespace's root would be this process's cgroup
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// enterContainer makes the mounts of a container, if this is the first process of one.
func enterContainer() error {
	text := os.Getenv(containerVar)
	if text == "" {
		return nil
	}
	var c container
	err := errors.Join(
		json.Unmarshal([]byte(text), &c), unix.Mount("none", "/proc", "proc", 0, ""),
		unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH), unix.Mount("none", "/sys/fs/cgroup", "cgroup2", 0, ""))
	if err == nil && c.ReadOnly {
		err = unix.Mount("", "/sys/fs/cgroup", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	}
	kill = killCheck()
	if err == nil && c.Beside {
		beside = exec.Command(os.Getenv("SANDBOX_PROG"), "sleep")
		err = beside.Start() // ends with the container
	}
	return err
}

// TestInContainer looks, in a container, at what opening the cgroups has done. Elsewhere it has nothing to look at.
func TestInContainer(t *testing.T) {
	if os.Getenv(containerVar) == "" {
		return
	}
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	if !kill.OK {
		t.Errorf("cgroup.kill, in a container without cgroups of its own: %+v", kill)
	}
	if got := read("/sys/fs/cgroup/cgroup.procs"); got != "" {
		t.Errorf("processes are left in the container's cgroup: %q", got)
	}
	if got, want := read("/proc/self/cgroup"), "0::/ccee-host\n"; got != want {
		t.Errorf("cgroup %q, want %q", got, want)
	}
	if beside != nil && !slices.Contains(strings.Fields(read("/sys/fs/cgroup/ccee-host/cgroup.procs")), strconv.Itoa(beside.Process.Pid)) {
		t.Errorf("the other process is not in ccee-host")
	}
	if got := strings.Fields(read("/sys/fs/cgroup/cgroup.subtree_control")); len(got) != len(controllers) {
		t.Errorf("enabled controllers %v, want %v", got, controllers)
	}
	// A daemon that starts again finds its processes in the leaf; its cgroup may be a deeper one.
	again, err := OpenCgroups("a/b")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(read("/sys/fs/cgroup/a/b/cgroup.subtree_control")); len(got) != len(controllers) {
		t.Errorf("enabled controllers in a/b %v, want %v", got, controllers)
	}
	if err := errors.Join(again.Close(), os.Remove("/sys/fs/cgroup/a")); err != nil {
		t.Error(err)
	}
}
