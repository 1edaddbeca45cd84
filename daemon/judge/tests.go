// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
)

const (
	// maxOutputs bounds in bytes how much of each stream the result has for all tests together. Each test may have minOutput
	// however many there are.
	maxOutputs = job.MiB
	minOutput  = 1 << 10

	// maxMessage bounds in bytes how much of a checker's output is kept.
	maxMessage = 1 << 10

	// extraOutput is how many bytes of an output are kept beyond the length of the expected one: white space may not count.
	extraOutput = 64 << 10
)

// Tests are the tests of one job, planned: one or two programs that are built once, and a run for each test.
type Tests struct {
	program program
	checker *program // nil: outputs are compared
	list    []test
	compare job.Compare
	stop    bool // at the first failure
}

// test is one run of the program, with the expected outcome.
type test struct {
	job.Test
	step plan.Step
	kept int // bytes of each stream that go into the result
}

// New plans the tests of spec, whose own plan is p, on the image that is unpacked at root. Its errors are the caller's: *job.Error with
// code EInvalid.
func New(spec *job.Spec, p plan.Plan, root string) (*Tests, error) {
	t := &Tests{program: newProgram(p, root), compare: spec.Tests.Compare, stop: spec.Tests.StopOnFailure}
	if err := spec.Tests.CheckTime(p.Last().Limits); err != nil {
		return nil, err
	}
	kept := max(minOutput, maxOutputs/len(spec.Tests.List))
	for i := range spec.Tests.List {
		one, err := newTest(spec, i, p, kept)
		if err != nil {
			return nil, err
		}
		t.list = append(t.list, one)
	}
	return t, nil
}

// AddChecker has the program of plan p judge the outputs, on the image that is unpacked at root.
func (t *Tests) AddChecker(p plan.Plan, root string) {
	checker := newProgram(p, root)
	t.checker = &checker
}

// newTest plans test i of spec.
func newTest(spec *job.Spec, i int, p plan.Plan, kept int) (test, error) {
	t := test{Test: spec.Tests.List[i]}
	if err := t.Run.Check(fmt.Sprintf("tests.%d.run", i), p.Lang.MinRun, job.MaxLimits); err != nil {
		return t, err
	}
	as := job.Spec{Env: spec.Env, Stdin: t.Stdin, Args: append(append([]string{}, spec.Args...), t.Args...)}
	t.step = p.RunStep(&as, t.Run.Fill(spec.Run).Effective(p.Lang.DefaultRun, job.DefaultRun))
	t.step.Test = i + 1
	l := &t.step.Limits
	t.kept = min(kept, int(l.OutputBytes))
	switch {
	case spec.Tests.Checker != nil:
		l.OutputBytes = job.MaxLimits.OutputBytes
	case t.Expected != nil:
		l.OutputBytes = max(l.OutputBytes, int64(len(*t.Expected))+extraOutput)
	}
	return t, nil
}

// Need is the part of the daemon's budget that t reserves. Its steps run one after another, but the programs that are built stay in memory
// until the end, so their room is reserved before anything runs.
func (t *Tests) Need() slots.Need {
	need := t.NeedBuilt()
	var built int64
	for _, p := range []*program{&t.program, t.checker} {
		if p != nil && p.compile != nil {
			need = larger(need, built, *p.compile)
			built += p.room()
		}
	}
	return need
}

// NeedBuilt is what is left of Need once all programs are built.
func (t *Tests) NeedBuilt() slots.Need {
	need, built := slots.Need{Tenant: t.program.Tenant}, t.program.room()+t.checker.room()
	if t.checker != nil {
		need = larger(need, built, *t.checker.Last())
	}
	for i := range t.list {
		need = larger(need, built, t.list[i].step)
	}
	return need
}

// larger is need, or what it takes to run a step beside so many bytes of built programs, whatever is larger of each.
func larger(need slots.Need, built int64, step plan.Step) slots.Need {
	n := plan.Plan{Steps: []plan.Step{step}}.Need()
	need.Memory, need.Millicores = max(need.Memory, built+n.Memory), max(need.Millicores, n.Millicores)
	need.Pids = max(need.Pids, n.Pids)
	return need
}
