// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// TestCeilings: the daemon bounds all of its jobs together: processes by what it was given, memory by little more than what it promises,
// the CPU by its weight. The numbers are those of cgroups(7) and the kernel's cgroup-v2.rst and cgroup-v1.
func TestCeilings(t *testing.T) {
	var cgroup string
	s := realDaemon(t, func(o *Options) {
		cgroup = o.Cgroup
		o.Pids, o.MemoryBytes, o.CPUWeight, o.Ready, o.Slots = 2000, 1<<30, 300, 4, 32
	})
	memory := fmt.Sprint(1<<30 + (1<<30)/10&^4095 + 36<<20)
	for _, want := range []struct{ v2, v1, value2, value1 string }{
		{"pids.max", "pids.max", "2000", "2000"},
		{"memory.max", "memory.limit_in_bytes", memory, memory},
		{"cpu.weight", "cpu.shares", "300", "3072"},
	} {
		values := valuesOf(t, cgroup, want.v2, want.v1)
		if len(values) == 0 {
			t.Errorf("the jobs' cgroup %s has neither %s nor %s", cgroup, want.v2, want.v1)
		}
		for path, got := range values {
			if got != want.value2 && (filepath.Base(path) != want.v1 || got != want.value1) {
				t.Errorf("%s is %s, want %s", path, got, want.value2)
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

// valuesOf returns what the files of these names in the directories of a cgroup hold, by path. On v1 each controller has a tree of its own,
// in which the cgroup may be at another depth.
func valuesOf(t *testing.T, cgroup string, names ...string) map[string]string {
	t.Helper()
	values := map[string]string{}
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // another test's cgroup, which has gone
		case err != nil:
			return err
		case d.IsDir() || filepath.Base(filepath.Dir(path)) != cgroup || !slices.Contains(names, d.Name()):
			return nil
		}
		b, err := os.ReadFile(path)
		values[path] = strings.TrimSpace(string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
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

// A call that has no name has a number, of which a job can make up any: they all are one series.
func TestUnknownCallsAreOneSeries(t *testing.T) {
	m := newMetrics(slots.New(slots.Budget{Slots: 2}))
	m.finished("python", &job.Result{Steps: []job.Step{{DeniedSyscalls: []job.DeniedSyscall{{Name: "keyctl", Count: 1}, {Name: "syscall_1000", Count: 2}, {Name: "syscall_1001", Count: 3}}}}})
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range all {
		for _, one := range f.GetMetric() {
			if f.GetName() == "ccee_daemon_denied_syscalls_total" {
				got[one.GetLabel()[0].GetValue()] = one.GetCounter().GetValue()
			}
		}
	}
	if want := map[string]float64{"keyctl": 1, "unknown": 5}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
