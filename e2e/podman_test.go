// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/e2e/fargate"
)

// requirePodman skips a test where there is no podman with runc, loudly, as requireHost does.
func requirePodman(t *testing.T) {
	t.Helper()
	requireHost(t)
	for _, program := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("SANDBOX_MUST_WORK") == "1" {
				t.Fatalf("%s is not installed: run make deps", program)
			}
			t.Skipf("%s is not installed: run make deps", program)
		}
	}
}

// inPodman is ccee with those arguments in a container as a task definition for Fargate makes one: all capabilities dropped that can be, by
// name, Docker's profile, a read-only root and some tmpfs. shared is a directory of the host that is /run/ccee there.
func inPodman(t *testing.T, shared string, args ...string) *exec.Cmd {
	t.Helper()
	requirePodman(t)
	root, err := runnerRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	profile, err := fargate.Profile()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "seccomp.json"), profile, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	engine := []string{
		"--root", filepath.Join(dir, "storage"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp"),
		"--cgroup-manager", "cgroupfs", "--runtime", "runc", "--events-backend", "none",
	}
	flags := []string{
		"run", "--rm", "--network", "none", "--read-only", "--read-only-tmpfs=false",
		"--ulimit", hardLimit(t, "nofile", unix.RLIMIT_NOFILE), "--ulimit", hardLimit(t, "nproc", unix.RLIMIT_NPROC),
		"--cap-drop", "ALL", "--cap-add", "SETUID,SETGID,KILL", "--security-opt", "seccomp=" + filepath.Join(dir, "seccomp.json"),
		"--tmpfs", "/workspace:rw,nosuid,nodev,mode=1777,size=512m", "--tmpfs", "/tmp:rw,nosuid,nodev,mode=1777,size=512m",
		"--shm-size", "256m", "--env", "TASK_TOKEN=xyzzy-secret", "--volume", shared + ":/run/ccee",
		"--rootfs", root, "/usr/bin/ccee",
	}
	cmd := exec.Command("podman", append(append(engine, flags...), args...)...)
	t.Cleanup(func() { // whatever is left of a container that was killed
		_ = exec.Command("podman", append(engine, "rm", "--all", "--force", "--time", "0")...).Run()
	})
	return cmd
}

// hardLimit is a limit as podman takes it, no higher than it may be here: podman's own may be.
func hardLimit(t *testing.T, name string, resource int) string {
	var l unix.Rlimit
	if err := unix.Getrlimit(resource, &l); err != nil {
		t.Fatal(err)
	}
	const most = 20_000
	n := min(l.Max, most)
	return fmt.Sprintf("%s=%d:%d", name, n, n)
}

// TestTaskInPodman: the tier task in a container that a real engine has made, and not only in our idea of one.
func TestTaskInPodman(t *testing.T) {
	out, err := inPodman(t, t.TempDir(), "doctor", "--escape", "--tier", "task").CombinedOutput()
	if err != nil {
		t.Errorf("doctor: %v:\n%s", err, out)
	}
	shared := t.TempDir()
	cmd := inPodman(t, shared, "daemon", "--tier", "task", "--one-job=false", "--socket", "/run/ccee/d.sock")
	startServing(t, cmd) // podman passes signals on
	c := client.New(filepath.Join(shared, "d.sock"))
	checkTaskRuns(t, c)
	checkTaskHostile(t, c)
}
