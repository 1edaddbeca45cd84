// SPDX-License-Identifier: Apache-2.0

package plan

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
		p, err := New(tt.spec, java)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Steps {
			if s.Name != tt.step {
				continue
			}
			check(t, tt.name, s, want)
		}
	}
}

func check(t *testing.T, name string, s Step, cpuMs int64) {
	t.Helper()
	if s.Limits.CPUMs != cpuMs {
		t.Errorf("%s: cpuMs is %d, want %d", name, s.Limits.CPUMs, cpuMs)
	}
	p := s.Process()
	if got := p.CPUTime.Milliseconds(); got != cpuMs {
		t.Errorf("%s: the sandbox gets %d ms of CPU time, want %d", name, got, cpuMs)
	}
	for _, r := range p.Rlimits {
		if r.Type == unix.RLIMIT_CPU && int64(r.Soft)*1000 < cpuMs {
			t.Errorf("%s: RLIMIT_CPU is %d s, less than %d ms", name, r.Soft, cpuMs)
		}
	}
}

// TestTimeLimitOfWarm: a warm runtime gets the CPU time of its job, not that of the usual one.
func TestTimeLimitOfWarm(t *testing.T) {
	lang := python
	lang.Warm = []string{"/usr/bin/python3", "-X", "warm", "{source}"}
	p, err := New(job.Spec{Source: "x", Run: job.Limits{WallMs: 12_000}}, lang)
	if err != nil {
		t.Fatal(err)
	}
	warm := p.WarmProgram()
	if warm == nil {
		t.Fatal("a job with another time limit is not served by a warm runtime")
	}
	for _, r := range warm.Rlimits {
		if r.Type == unix.RLIMIT_CPU && r.Hard != unix.RLIM_INFINITY {
			t.Errorf("it is started with RLIMIT_CPU %d, which can't be raised", r.Hard)
		}
	}
	check(t, "warm", p.Warmed().Steps[0], 13_000)
}

func TestOutputTailRefused(t *testing.T) {
	for _, tt := range []struct {
		spec  job.Spec
		field string
	}{
		{job.Spec{Run: job.Limits{OutputBytes: 10, OutputTailBytes: 11}}, "run.outputTailBytes"},
		{job.Spec{Compile: job.Limits{OutputBytes: 10, OutputTailBytes: 11}}, "compile.outputTailBytes"},
		{job.Spec{Run: job.Limits{OutputTailBytes: -1}}, "run.outputTailBytes"},
		{job.Spec{Run: job.Limits{OutputTailBytes: job.MiB + 1}}, "run.outputTailBytes"},
	} {
		tt.spec.Source = "x"
		_, err := New(tt.spec, java)
		if e, ok := err.(*job.Error); !ok || e.Code != job.EInvalid || e.Field != tt.field {
			t.Errorf("%+v: %v, want an error of the field %s", tt.spec.Run, err, tt.field)
		}
	}
}
