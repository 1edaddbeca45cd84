// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestServices: out of memory the kernel takes jobs first and the daemon with its spawner last (proc_pid_oom_score_adj(5)), and the
// services have more weight against the jobs than these against the rest of the host.
func TestServices(t *testing.T) {
	s := ownStack(t)
	place := cpuCgroup(t, os.Getpid()) // somebody's: they stay there
	free := place == "/" || place == "/ccee-host"
	if free {
		place = "/" + s.name + "-services"
	}
	scores := map[int]int{s.cmd.Process.Pid: -900}
	for part, want := range map[string]int{"daemon": -900, "redis": -800, "worker": -700, "api": -600} {
		pid, err := s.child(part)
		if err != nil {
			t.Fatal(err)
		}
		scores[pid] = want
		if part == "daemon" {
			scores[s.spawner(t, pid)] = -900
		}
		if cpu := cpuCgroup(t, pid); cpu != place {
			t.Errorf("%s is in the cgroup %s, want %s", part, cpu, place)
		}
	}
	// To lower it takes CAP_SYS_RESOURCE, which not every container has.
	may := os.WriteFile("/proc/self/oom_score_adj", []byte("-1"), 0) == nil
	for pid, want := range scores {
		if !may {
			want = 0
		}
		patience.Until(t, fmt.Sprintf("process %d has its score", pid), func() (bool, string) {
			got, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
			return err == nil && strings.TrimSpace(string(got)) == strconv.Itoa(want), fmt.Sprintf("%s, %v, want %d", got, err, want)
		})
	}
	if services, jails := weight(t, s.name+"-services"), weight(t, s.name); free && services < 4*jails || jails <= 0 {
		t.Errorf("the services have the weight %d beside %d of all jobs", services, jails)
	}
	if err := s.down(); err != nil {
		t.Error(err)
	}
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		if left, _ := filepath.Glob(pattern + s.name + "*"); left != nil {
			t.Errorf("cgroups are left: %v", left)
		}
	}
}

// spawner is the daemon's child that all sandboxes are cloned from.
func (s *stack) spawner(t *testing.T, daemon int) int {
	t.Helper()
	for _, p := range processes() {
		if p.parent == daemon && p.args[0] == "sandbox-init" {
			return p.pid
		}
	}
	t.Fatalf("the daemon (pid %d) has no spawner", daemon)
	return 0
}

// cpuCgroup is the process's cgroup in the tree that has the controller cpu; see cgroups(7).
func cpuCgroup(t *testing.T, pid int) (path string) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for controller := range strings.SplitSeq(f[1], ",") {
			if controller == "cpu" || controller == "" && path == "" { // the v2 tree, where no v1 tree has it
				path = f[2]
			}
		}
	}
	return path
}

// weight is cpu.weight of the cgroup of that name, or v1's cpu.shares.
func weight(t *testing.T, name string) (n int) {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup/" + name + "/cpu.weight", "/sys/fs/cgroup/cpu*/" + name + "/cpu.shares"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil {
				n, _ = strconv.Atoi(strings.TrimSpace(string(b)))
			}
		}
	}
	return n
}
