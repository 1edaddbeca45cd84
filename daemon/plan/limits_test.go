package daemon

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
)

// TestTimeLimitIsGiven: whichever step's time limit is raised, its CPU time goes up with it, in the plan and in the kernel's words.
func TestTimeLimitIsGiven(t *testing.T) {
	twelve, want := job.Limits{WallMs: 12_000}, int64(13_000) // contract 9.3: the seconds and one more
	for _, tt := range []struct {
		name string
		spec job.Spec
		step string
	}{
		{"run", job.Spec{Run: twelve}, "run"},
		{"compile", job.Spec{Compile: job.Limits{WallMs: 12_000, CPUMillicores: 1000}}, "compile"},
	} {
		tt.spec.Source = "x"
		p, err := newPlan(tt.spec, java)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.steps {
			if s.name != tt.step {
				continue
			}
			check(t, tt.name, s, want)
		}
	}
	for _, tt := range []struct {
		name     string
		run, own job.Limits
	}{
		{"the job's", twelve, job.Limits{}},
		{"the test's own", job.Limits{}, twelve},
		{"the test's own, the job's is another", job.Limits{WallMs: 1000}, twelve},
	} {
		spec := job.Spec{Source: "x", Run: tt.run, Tests: &job.Tests{List: []job.Test{{Run: tt.own}}}}
		p, err := newPlan(spec, python)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newTest(&spec, 0, p, 1)
		if err != nil {
			t.Fatal(err)
		}
		check(t, "a test: "+tt.name, got.step, want)
	}
	checker := job.Checker{Source: "x", Run: twelve}
	p, err := newPlan(checker.Spec(), python)
	if err != nil {
		t.Fatal(err)
	}
	prog := newProgram(p, "")
	check(t, "a checker", prog.judge(&test{}, nil).steps[0], want)
}

func check(t *testing.T, name string, s step, cpuMs int64) {
	t.Helper()
	if s.limits.CPUMs != cpuMs {
		t.Errorf("%s: cpuMs is %d, want %d", name, s.limits.CPUMs, cpuMs)
	}
	p := s.process(filter{})
	if got := p.CPUTime.Milliseconds(); got != cpuMs {
		t.Errorf("%s: the sandbox is told %d ms of CPU time, want %d", name, got, cpuMs)
	}
	for _, r := range p.Rlimits {
		if r.Type == unix.RLIMIT_CPU && int64(r.Soft)*1000 < cpuMs {
			t.Errorf("%s: RLIMIT_CPU is %d s, less than %d ms", name, r.Soft, cpuMs)
		}
	}
}

// TestTimeLimitOfWarm: a runtime that was started ahead gets the CPU time of its job, not that of the usual one.
func TestTimeLimitOfWarm(t *testing.T) {
	lang := python
	lang.Warm = []string{"/usr/bin/python3", "-X", "warm", "{source}"}
	p, err := newPlan(job.Spec{Source: "x", Run: job.Limits{WallMs: 12_000}}, lang)
	if err != nil {
		t.Fatal(err)
	}
	ahead := p.warm(filter{})
	if ahead == nil {
		t.Fatal("a job with another time limit is not served by a runtime that was started ahead")
	}
	for _, r := range ahead.Rlimits {
		if r.Type == unix.RLIMIT_CPU && r.Hard != unix.RLIM_INFINITY {
			t.Errorf("it is started with RLIMIT_CPU %d, which can't be raised", r.Hard)
		}
	}
	check(t, "warm", p.warmed().steps[0], 13_000)
}
