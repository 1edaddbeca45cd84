package daemon

import (
	"context"
	"fmt"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

const (
	// keptOfTests is how many bytes of each stream all tests of a job may have in its result together, and keptOfTest what each may
	// have however many there are.
	keptOfTests = job.MiB
	keptOfTest  = 1 << 10

	// checkerBytes is what is kept of what a checker says, and slack is what of an output is kept beyond the expected length: there may be
	// white space that doesn't count.
	checkerBytes = 1 << 10
	slack        = 64 << 10
)

// trial is what the tests of a job come to: one or two programs that are built once, and what is run for each test.
type trial struct {
	program program
	checker *program // nil: outputs are compared
	tests   []test
	compare job.Compare
	stop    bool // at the first failure
}

// program is what is built once and then run in sandboxes of their own.
type program struct {
	plan
	root  string
	build *step         // nil: there is nothing to build
	files []nsjail.File // that it consists of; once it is built, all that the build left
	built sandbox       // where the build left them, retired; nil if there is none
}

// test is one run of the program, with what is to come of it.
type test struct {
	job.Test
	step step
	kept int // bytes of each stream that the result has
}

func newProgram(p plan, root string) program {
	prog := program{plan: p, root: root, files: p.steps[0].files}
	if len(p.steps) > 1 {
		prog.build = &p.steps[0]
	}
	return prog
}

// newTrial works out the tests of spec, whose plan is p. Its errors are the caller's, as those of newPlan.
func (r *Runner) newTrial(ctx context.Context, spec *job.Spec, p plan, root string) (*trial, error) {
	t := &trial{program: newProgram(p, root), compare: spec.Tests.Compare, stop: spec.Tests.StopOnFailure}
	if err := spec.Tests.CheckTime(p.steps[len(p.steps)-1].limits); err != nil {
		return nil, err
	}
	kept := max(keptOfTest, keptOfTests/len(spec.Tests.List))
	for i := range spec.Tests.List {
		one, err := newTest(spec, i, p, kept)
		if err != nil {
			return nil, err
		}
		t.tests = append(t.tests, one)
	}
	if c := spec.Tests.Checker; c != nil {
		of := c.Spec()
		of.Network = spec.Network
		cp, root, err := r.plan(ctx, of)
		if err != nil {
			return nil, inChecker(err)
		}
		prog := newProgram(cp, root)
		t.checker = &prog
	}
	return t, nil
}

// inChecker names the checker as the place of a caller's error.
func inChecker(err error) error {
	switch job.ErrorCode(err) {
	case job.EInvalid, job.ENotFound:
		return job.Invalid("checker", "%v", err)
	}
	return err
}

func newTest(spec *job.Spec, i int, p plan, kept int) (test, error) {
	t := test{Test: spec.Tests.List[i]}
	if err := t.Run.Check(fmt.Sprintf("tests.%d.run", i), p.lang.MinRun, job.MaxLimits); err != nil {
		return t, err
	}
	as := job.Spec{Env: spec.Env, Stdin: t.Stdin, Args: append(append([]string{}, spec.Args...), t.Args...)}
	t.step = p.run(&as, t.Run.Fill(spec.Run).Effective(p.lang.DefaultRun, job.DefaultRun))
	t.step.test = i + 1
	l := &t.step.limits
	t.kept = min(kept, int(l.OutputBytes))
	switch {
	case spec.Tests.Checker != nil:
		l.OutputBytes = job.MaxLimits.OutputBytes
	case t.Expected != nil:
		l.OutputBytes = max(l.OutputBytes, int64(len(*t.Expected))+slack)
	}
	return t, nil
}

// need is what t takes out of the budgets: what it runs, it runs one after the other, while what it has built so far lies there.
func (t *trial) need() need {
	most := need{tenant: t.program.tenant}
	var kept int64
	with := func(steps ...step) {
		n := plan{steps: steps}.need()
		most.memory, most.millicores = max(most.memory, kept+n.memory), max(most.millicores, n.millicores)
		most.pids = max(most.pids, n.pids)
	}
	for _, p := range []*program{&t.program, t.checker} {
		if p != nil && p.build != nil {
			with(*p.build)
			kept += min(maxKept, p.build.limits.MemoryBytes)
		}
	}
	if t.checker != nil {
		with(t.checker.steps[len(t.checker.steps)-1])
	}
	for i := range t.tests {
		with(t.tests[i].step)
	}
	return most
}

// alone is the plan of a sandbox for one run of s, a step of the program.
func (p *program) alone(s step) plan {
	s.files = append(p.files[:len(p.files):len(p.files)], s.files...)
	if p.built != nil {
		s.source = p.built.Dir()
	}
	return plan{lang: p.lang, loopback: p.loopback, steps: []step{s}}
}

// judge is the run of the checker for what came of a test.
func (p *program) judge(t *test, output []byte) plan {
	s := p.steps[len(p.steps)-1]
	s.name, s.files = "checker", nil
	s.args = append(s.args[:len(s.args):len(s.args)], job.CheckerInput, job.CheckerOutput, job.CheckerExpected)
	s.limits.OutputBytes = min(s.limits.OutputBytes, checkerBytes)
	var expected []byte
	if t.Expected != nil {
		expected = *t.Expected
	}
	for _, f := range []nsjail.File{{Name: job.CheckerInput, Data: t.Stdin}, {Name: job.CheckerOutput, Data: output}, {Name: job.CheckerExpected, Data: expected}} {
		f.Mode = 0o644
		s.files = append(s.files, f)
	}
	return p.alone(s)
}
