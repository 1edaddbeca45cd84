// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"testing"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
)

// The profiles of two languages, one of them with a compile step.
var (
	python = job.Language{Name: "python", Image: "sha256:p", SourceFile: "main.py", Run: []string{"/python3", "main.py"}}
	java   = job.Language{Name: "java", Image: "sha256:j", SourceFile: "Main.java", Compile: []string{"/javac", "{source}"}, Run: []string{"/java", "Main"}}
)

func planOf(t *testing.T, spec job.Spec, lang job.Language) plan.Plan {
	t.Helper()
	p, err := plan.New(spec, lang)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testsOf plans a job with these tests, and their checker if they have one.
func testsOf(t *testing.T, lang job.Language, tests job.Tests) *Tests {
	t.Helper()
	spec := job.Spec{Source: "x", Tenant: "tenant", Tests: &tests, Network: job.NetworkLoopback}
	got, err := New(&spec, planOf(t, spec, lang), "/root")
	if err != nil {
		t.Fatal(err)
	}
	if tests.Checker != nil {
		checker := tests.Checker.Spec()
		checker.Network = spec.Network
		got.AddChecker(planOf(t, checker, lang), "/checker")
	}
	return got
}

// A built program takes memory as long as the tests run, so both are reserved before anything runs.
func TestNeed(t *testing.T) {
	of := func(name string, memory int64) plan.Step {
		return plan.Step{Name: name, Limits: job.Limits{MemoryBytes: memory << 20, CPUMillicores: memory, PidsMax: memory}}
	}
	compile := of("compile", 512)
	small := of("compile", 40)
	checker := func(run int64) *program {
		return &program{compile: &compile, Plan: plan.Plan{Steps: []plan.Step{compile, of("run", run)}}}
	}
	for _, tt := range []struct {
		name string
		Tests
		memory, millicores int64
		left               int64 // MiB, once all is built
	}{
		{"nothing is built", Tests{program: program{Plan: plan.Plan{Steps: []plan.Step{of("run", 128)}}}, list: []test{{step: of("run", 128)}, {step: of("run", 256)}}}, 256, 256, 256},
		{"compile is larger", Tests{program: program{compile: &compile}, list: []test{{step: of("run", 128)}}}, 512, 512, 64 + 128},
		{"run is larger", Tests{program: program{compile: &compile}, list: []test{{step: of("run", 1024)}}}, 64 + 1024, 1024, 64 + 1024},
		{"a small build", Tests{program: program{compile: &small}, list: []test{{step: of("run", 128)}}}, 40 + 128, 128, 40 + 128},
		{"both are built", Tests{program: program{compile: &compile}, checker: checker(100), list: []test{{step: of("run", 128)}}}, 64 + 512, 512, 128 + 128},
		{"both are built and then run", Tests{program: program{compile: &compile}, checker: checker(900), list: []test{{step: of("run", 128)}}}, 128 + 900, 900, 128 + 900},
	} {
		tt.program.Tenant = "tenant"
		if got := tt.Need(); got.Memory != tt.memory<<20 || got.Millicores != tt.millicores || got.Pids != tt.millicores+1 || got.Tenant != "tenant" {
			t.Errorf("%s: %+v, want %d MiB, %d millicores and one more process", tt.name, got, tt.memory, tt.millicores)
		}
		if got := tt.NeedBuilt(); got.Memory != tt.left<<20 || got.Tenant != "tenant" {
			t.Errorf("%s: once all is built %+v, want %d MiB", tt.name, got, tt.left)
		}
	}
}

// TestTimeLimits: whoever raises a test's time limit raises its CPU time with it.
func TestTimeLimits(t *testing.T) {
	twelve, want := job.Limits{WallMs: 12_000}, int64(13_000) // contract 9.3: the seconds and one more
	for _, tt := range []struct {
		name     string
		run, own job.Limits
	}{
		{"the job's", twelve, job.Limits{}},
		{"the test's own", job.Limits{}, twelve},
		{"the test's own, the job's is another", job.Limits{WallMs: 1000}, twelve},
	} {
		spec := job.Spec{Source: "x", Run: tt.run, Tests: &job.Tests{List: []job.Test{{Run: tt.own}}}}
		got, err := newTest(&spec, 0, planOf(t, spec, python), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got.step.Limits.CPUMs != want {
			t.Errorf("%s: cpuMs is %d, want %d", tt.name, got.step.Limits.CPUMs, want)
		}
	}
	checker := newProgram(planOf(t, (&job.Checker{Source: "x", Run: twelve}).Spec(), python), "")
	if got := checker.check(&test{}, nil).Steps[0].Limits.CPUMs; got != want {
		t.Errorf("a checker: cpuMs is %d, want %d", got, want)
	}
}

// TestOutputBounds: how much of a test's output is kept for the verdict, and how much goes into the result.
func TestOutputBounds(t *testing.T) {
	expected := make([]byte, 100_000)
	for _, tt := range []struct {
		name         string
		tests        job.Tests
		run          job.Limits
		output, kept int64
	}{
		{"nothing is expected", job.Tests{List: make([]job.Test, 1)}, job.Limits{OutputBytes: 5000}, 5000, 5000},
		{"a long output is expected", job.Tests{List: []job.Test{{Expected: &expected}}}, job.Limits{OutputBytes: 5000}, 100_000 + 64<<10, 5000},
		{"more is kept than is expected", job.Tests{List: []job.Test{{Expected: &expected}}}, job.Limits{OutputBytes: job.MiB}, job.MiB, job.MiB},
		{"a checker", job.Tests{List: make([]job.Test, 1), Checker: &job.Checker{}}, job.Limits{OutputBytes: 5000}, job.MaxLimits.OutputBytes, 5000},
		{"many tests share", job.Tests{List: make([]job.Test, 16)}, job.Limits{OutputBytes: job.MiB}, job.MiB, job.MiB / 16},
	} {
		spec := job.Spec{Source: "x", Run: tt.run, Tests: &tt.tests}
		got, err := New(&spec, planOf(t, spec, python), "")
		if err != nil {
			t.Fatal(err)
		}
		for i, one := range got.list {
			if one.step.Limits.OutputBytes != tt.output || int64(one.kept) != tt.kept || one.step.Test != i+1 {
				t.Errorf("%s: test %d has %d and %d bytes, want %d and %d", tt.name, one.step.Test, one.step.Limits.OutputBytes, one.kept, tt.output, tt.kept)
			}
		}
	}
}

// TestNewRefuses: limits of one test are checked like those of a job.
func TestNewRefuses(t *testing.T) {
	for field, tests := range map[string]job.Tests{
		"tests.1.run.wallMs": {List: []job.Test{{}, {Run: job.Limits{WallMs: -1}}}},
		"tests":              {List: make([]job.Test, job.MaxTestsWallMs/job.MaxLimits.WallMs+1)},
	} {
		spec := job.Spec{Source: "x", Run: job.Limits{WallMs: job.MaxLimits.WallMs}, Tests: &tests}
		_, err := New(&spec, planOf(t, spec, python), "")
		if e, ok := err.(*job.Error); !ok || e.Code != job.EInvalid || e.Field != field {
			t.Errorf("%#v, want an error of the field %s", err, field)
		}
	}
}
