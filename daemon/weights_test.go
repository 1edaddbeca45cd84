// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// scale is a sandbox that keeps its weight.
type scale struct {
	weight int64
	writes *int
	broken error
}

func (s *scale) SetCPUWeight(weight int64) error {
	*s.writes++
	if s.broken == nil {
		s.weight = weight
	}
	return s.broken
}

// TestWeights: as long as the kernel's weights are fine enough, a tenant's jobs together weigh about as much as one job alone, however they
// come and go. A job alone is never written to, and a job is not written to for each that comes and goes.
func TestWeights(t *testing.T) {
	var w weights
	writes := 0
	var scales []*scale
	var jobs []*weighed
	check := func() {
		t.Helper()
		sum := int64(0)
		for _, s := range scales {
			sum += s.weight
		}
		if n := len(scales); n > 0 && n <= 66 && (sum < 60 || sum > 160) || n > 0 && n <= 10 && (sum < 80 || sum > 125) {
			t.Errorf("%d jobs of a tenant weigh %d together, want about 100", n, sum)
		}
	}
	start := func() {
		t.Helper()
		s := &scale{weight: 100, writes: &writes}
		one := &weighed{s, s.weight}
		scales, jobs = append(scales, s), append(jobs, one)
		if err := w.join("a", one); err != nil {
			t.Fatal(err)
		}
		check()
	}
	end := func() {
		t.Helper()
		if err := w.leave("a", jobs[0]); err != nil {
			t.Fatal(err)
		}
		scales, jobs = scales[1:], jobs[1:]
		check()
	}
	for range 3 {
		start()
		end()
	}
	alone := 0
	if err := w.join("b", &weighed{&scale{writes: &alone}, 100}); err != nil || alone != 0 || writes != 0 {
		t.Errorf("%v; %d and %d writes for jobs that are their tenants' only ones, want none", err, writes, alone)
	}
	for range 70 {
		start()
	}
	if writes > 6*70 {
		t.Errorf("%d writes for 70 jobs that start", writes)
	}
	for range 60 {
		end()
	}
	writes = 0
	for range 100 {
		start()
		end()
	}
	if writes > 3*100 {
		t.Errorf("%d writes while one of ten jobs ends and another starts, a hundred times", writes)
	}
	for len(jobs) > 0 {
		end()
	}
	if alone != 0 || len(w.tenants) != 1 {
		t.Errorf("another tenant's job was written to %d times; tenants %v, want one", alone, w.tenants)
	}
	writes = 0
	broken := &weighed{&scale{writes: &writes, broken: errors.New("broken")}, 100}
	if start(); w.join("a", broken) == nil || writes != 2 {
		t.Errorf("a weight could not be set, and that was no error; %d writes, want 2", writes)
	}
}

// TestUnweighedJob: a job does not run where its weight can't be set.
func TestUnweighedJob(t *testing.T) {
	r := newRig(exits(0))
	r.sb.unweighed = errors.New("no such cgroup")
	if err := r.weights.join("", &weighed{&scale{writes: new(int)}, 100}); err != nil {
		t.Fatal(err)
	}
	for _, tests := range []*job.Tests{nil, {List: make([]job.Test, 1)}} {
		r.calls = nil
		_, err := r.Run(t.Context(), job.Spec{ID: "1", Language: "python", Source: "x", Tests: tests}, r.emit)
		r.teardowns.Wait()
		if got, want := strings.Join(r.calls, ", "), "weight 50, close"; job.ErrorCode(err) != job.EInternal || got != want {
			t.Errorf("tests: %t: %v after %s, want a fault of ours after %s", tests != nil, err, got, want)
		}
	}
	if n := len(r.weights.tenants[""]); n != 1 {
		t.Errorf("%d jobs are counted, want 1", n)
	}
}

// burn keeps one CPU busy, the same one for all that run it. With an input it does so for a second, however long the start took, and prints
// how much of that it had the CPU.
const burn = `import os, sys, time
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
began, used = time.monotonic(), time.process_time()
short = sys.stdin.read() != ""
while not short or time.monotonic() < began + 1: pass
print((time.process_time() - used) / (time.monotonic() - began))
`

// cpuRate is the CPU time of a step by its wall time.
func cpuRate(s *job.Step) float64 { return (s.Usage.CPUUserMs + s.Usage.CPUSystemMs) / s.Usage.WallMs }

// beside runs a job that burns CPU time beside others, whose tenants are named, and returns how many times as much CPU time it gets as one
// of those on average.
func (s *served) beside(t *testing.T, tests bool, tenants ...string) float64 {
	t.Helper()
	limits := job.Limits{CPUMillicores: 1000, WallMs: job.MaxLimits.WallMs, CPUMs: job.MaxLimits.CPUMs}
	started, ended := make(chan error, 2*len(tenants)), make(chan error, len(tenants))
	rates := make(chan float64, len(tenants))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for n, tenant := range tenants {
		spec := job.Spec{ID: fmt.Sprintf("burner-%d", n), Tenant: tenant, Language: "python", Source: burn, Run: limits}
		if tests {
			spec.Run.WallMs = min(job.MaxTestsWallMs, job.MaxLimits.WallMs)
			spec.Tests = &job.Tests{List: []job.Test{{Name: "t"}}}
		}
		go func() {
			res, err := s.run(ctx, spec, func(ev job.Event) error {
				if ev.Type == job.EventStarted {
					started <- nil
				}
				return nil
			})
			if err != nil {
				started <- err
			} else if tests {
				rates <- cpuRate(res.Tests.List[0].Run)
			} else {
				rates <- cpuRate(res.Last())
			}
			ended <- err
		}()
	}
	for range tenants {
		if err := patience.Receive(t, started, "a burner starts"); err != nil {
			t.Fatal(err)
		}
	}
	spec := job.Spec{ID: "victim", Tenant: "victim", Language: "python", Source: burn, Stdin: []byte("short"), Run: limits}
	victim, err := s.run(t.Context(), spec, func(job.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	var rate float64
	if _, err := fmt.Sscan(string(last(t, victim).Stdout.Data), &rate); err != nil {
		t.Fatalf("the victim: %v, %s", err, describeStep(last(t, victim)))
	}
	stop()
	sum := 0.0
	for range tenants {
		if err := patience.Receive(t, ended, "a burner ends"); err != nil {
			t.Fatal(err)
		}
		sum += <-rates
	}
	return rate * float64(len(tenants)) / sum
}

// TestOneTenantsBurners: five jobs of one tenant that burn CPU time leave another tenant's job about as much as they have together. The
// control is the same job beside those of five tenants: it gets as much as each. Warm sandboxes, and those of jobs with tests, are weighed
// too.
func TestOneTenantsBurners(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ready int
		tests bool
	}{{"cold", 0, false}, {"warm", 6, false}, {"jobs with tests", 0, true}} {
		t.Run(tt.name, func(t *testing.T) {
			s := realDaemon(t, func(o *Options) { o.Ready, o.Warm = tt.ready, tt.ready > 0 })
			before := "0"
			if tt.ready > 0 {
				s.until(t, job.Spec{Language: "python", Source: "pass"}, "warm", func(job.Result) {})
				s.awaitReady(t, 1)
				before = s.from(t, "warm")
			}
			same := s.beside(t, tt.tests, "one", "one", "one", "one", "one")
			if now := s.from(t, "warm"); (now != before) != (tt.ready > 0) {
				t.Errorf("sandboxes that were warm: %s before, %s after", before, now)
			}
			control := s.beside(t, tt.tests, "1", "2", "3", "4", "5")
			if same < 2*control {
				t.Errorf("the victim gets %.1f times the CPU time of a job of the tenant with five, and %.1f times that of a job "+
					"of five tenants: want twice that or more", same, control)
			}
		})
	}
}
