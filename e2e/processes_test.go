// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// process is one line of /proc.
type process struct {
	pid, parent int
	started     int // clock ticks after boot
	state       string
	args        []string
}

// processes lists those that there are now.
func processes() []process {
	var all []process
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		stat, err := os.ReadFile(d + "/stat")
		if err != nil {
			continue // ended meanwhile
		}
		cmdline, _ := os.ReadFile(d + "/cmdline")
		// The name in parentheses may hold anything; the rest, from field 3 on, comes after its end: proc(5).
		after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(d))
		parent, _ := strconv.Atoi(after[1])
		started, _ := strconv.Atoi(after[19])
		all = append(all, process{pid, parent, started, after[0], strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")})
	}
	return all
}

// child returns the pid of a part of the stack: daemon, worker, api or redis.
func (s *stack) child(part string) (int, error) {
	for _, p := range processes() {
		if p.parent != s.cmd.Process.Pid {
			continue
		}
		if len(p.args) > 1 && p.args[0] == "ccee" && p.args[1] == part || part == "redis" && strings.HasPrefix(p.args[0], "redis-server") {
			return p.pid, nil
		}
	}
	return 0, fmt.Errorf("ccee up (pid %d) has no child %s", s.cmd.Process.Pid, part)
}

// kill9 kills a part of the stack and returns when it is gone.
func (s *stack) kill9(t *testing.T, part string) {
	t.Helper()
	pid, err := s.child(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s: %v", part, err)
	}
}

// jails lists the cgroups of the stack's sandboxes, in every hierarchy, but for those that wait for a job.
func (s *stack) jails() []string {
	var found []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // removed meanwhile
		}
		if d.IsDir() && strings.Contains(path, "/"+s.name+"/") && !isReady(path) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// isReady reports whether the processes in a cgroup are a sandbox-init that has no program, or one and the program that it has stopped. A
// sandbox that was left behind has none, or others.
func isReady(cgroup string) bool {
	b, err := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
	pids := strings.Fields(string(b))
	if err != nil || len(pids) < 1 || len(pids) > 2 {
		return false
	}
	comm, err := os.ReadFile(filepath.Join("/proc", pids[0], "comm"))
	if err != nil || string(comm) != "sandbox-init\n" {
		return false
	}
	children, err := os.ReadFile(filepath.Join("/proc", pids[0], "task", pids[0], "children"))
	if len(pids) == 1 {
		return err == nil && len(children) == 0
	}
	stat, err := os.ReadFile(filepath.Join("/proc", pids[1], "stat"))
	return err == nil && strings.Contains(string(stat), ") T ") // stopped; see proc_pid_stat(5)
}

// parents lists the parent cgroups, which the daemon removes when it stops.
func (s *stack) parents() []string {
	var found []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == s.name {
			found = append(found, path)
		}
		return nil
	})
	return found
}

func mounts(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

// eventually waits for a condition that comes about by itself, such as the end of a killed process: as long as within says, or as
// patience does, which is for slow machines.
func eventually(t *testing.T, what string, within time.Duration, holds func() (bool, string)) {
	t.Helper()
	within = max(within, patience.Long())
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for {
		ok, state := holds()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v: %s", what, within, state)
		}
	}
}
