// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// TestCeilings: the daemon bounds all of its jobs together: processes by what it was given, memory by little more than what it promises, the
// CPU by its weight. The numbers are those of cgroups(7) and the kernel's cgroup-v2.rst and cgroup-v1.
func TestCeilings(t *testing.T) {
	var cgroup string
	s := realDaemon(t, func(o *Options) {
		cgroup = o.Cgroup
		o.Pids, o.MemoryBytes, o.CPUWeight, o.Ready, o.Slots = 2000, 1<<30, 300, 4, 32
	})
	for file, want := range map[string]string{
		"pids.max": "2000", "memory.max": fmt.Sprint(1<<30 + (1<<30)/10&^4095 + 36<<20), "cpu.weight": "300", // v2
		"memory.limit_in_bytes": fmt.Sprint(1<<30 + (1<<30)/10&^4095 + 36<<20), "cpu.shares": "3072", // v1
	} {
		files, _ := filepath.Glob("/sys/fs/cgroup/" + cgroup + "/" + file)
		v1, _ := filepath.Glob("/sys/fs/cgroup/*/" + cgroup + "/" + file)
		for _, path := range append(files, v1...) {
			if b, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(b)) != want {
				t.Errorf("%s is %q, %v, want %s", path, b, err, want)
			}
		}
	}
	if !strings.Contains(s.log.String(), "the disk reads of jobs are limited") {
		t.Errorf("the log doesn't say that disks are limited: %s", s.log)
	}
	// 4 sandboxes that wait have 40 of the processes each, jobs the rest.
	if n := s.slots.Budget().Pids; n != 2000-4*40 {
		t.Errorf("jobs are promised %d processes, want %d", n, 2000-4*40)
	}
}

// TestStarvedCounted: the metric counts the steps whose evidence says it, and no other wall limit.
func TestStarvedCounted(t *testing.T) {
	m := newMetrics(slots.New(slots.Budget{Slots: 2}))
	for _, evidence := range [][]job.Evidence{nil, {{Source: "timer wall"}}, {{Source: "timer wall"}, {Source: nsjail.Starved, Value: 900}}} {
		m.finished("python", &job.Result{Verdict: job.WallTime, Steps: []job.Step{{Name: "run", Verdict: job.WallTime, Evidence: evidence}}})
	}
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == "ccee_daemon_wall_limit_starved_total" {
			if got := f.GetMetric()[0].GetCounter().GetValue(); got != 1 {
				t.Errorf("%v steps were counted, want 1", got)
			}
			return
		}
	}
	t.Error("nothing was counted")
}
