// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"context"
	"slices"

	"github.com/ccee-dev/ccee/daemon/outputs"
	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// Runner runs programs, each in a fresh sandbox, one after another: they share the host ids of one slot.
type Runner interface {
	// Run runs the only step of p, on the image at root, in a sandbox that is gone when Run returns. The job's caller gets no
	// events of a hidden one.
	Run(ctx context.Context, p plan.Plan, root string, hidden bool) (job.Step, error)

	// Build does the same, but if the step succeeds it keeps the sandbox's workspace, without any process.
	Build(ctx context.Context, p plan.Plan, root string, hidden bool) (job.Step, Workspace, error)

	// Emit passes an event to the job's caller.
	Emit(job.Event)
}

// Workspace is the workspace that a build left.
type Workspace interface {
	// Files lists all its files, to be copied; why is the reason if they can't be, see outputs.ListBuilt.
	Files() (files []nsjail.File, why string)
	// Dir is an open descriptor of it.
	Dir() int
	// Close removes it.
	Close() error
}

// program is built once and then run in a fresh sandbox each time.
type program struct {
	plan.Plan
	root    string
	compile *plan.Step    // nil: there is nothing to build
	files   []nsjail.File // that it consists of: its sources or, once it is built, everything that the build left
	built   Workspace     // where the build left them; nil before, and if there is nothing to build
}

func newProgram(p plan.Plan, root string) program {
	prog := program{Plan: p, root: root, files: p.Steps[0].Files}
	if len(p.Steps) > 1 {
		prog.compile = &p.Steps[0]
	}
	return prog
}

// build builds p and keeps the resulting workspace; step is nil if there is nothing to build. A program whose files can't be copied into
// the sandboxes of the tests counts as not built: its author has to change it.
func (p *program) build(ctx context.Context, r Runner, hidden bool) (step *job.Step, err error) {
	if p == nil || p.compile == nil {
		return nil, nil
	}
	compile := plan.Plan{Lang: p.Lang, Loopback: p.Loopback, Steps: []plan.Step{*p.compile}, Outputs: outputs.Everything}
	got, built, err := r.Build(ctx, compile, p.root, hidden)
	if err != nil || built == nil {
		return &got, err
	}
	p.built = built
	var why string
	if p.files, why = built.Files(); why != "" {
		got.Verdict, got.Message = job.StartFailed, why
	}
	return &got, nil
}

// room is how many bytes of memory the program takes at most once it is built; none, if there is nothing to build.
func (p *program) room() int64 {
	if p == nil || p.compile == nil {
		return 0
	}
	return min(outputs.MaxBuilt, p.compile.Limits.MemoryBytes)
}

// discard removes the workspace of the build.
func (p *program) discard() {
	if p != nil && p.built != nil {
		_ = p.built.Close() // the Runner reports it
	}
}

// once plans one run of the program with the step s.
func (p *program) once(s plan.Step) plan.Plan {
	s.Files = append(slices.Clip(p.files), s.Files...)
	if p.built != nil {
		s.Source = p.built.Dir()
	}
	return plan.Plan{Lang: p.Lang, Loopback: p.Loopback, Steps: []plan.Step{s}}
}

// check plans one run of the checker, for the output of a test.
func (p *program) check(t *test, output []byte) plan.Plan {
	s := *p.Last()
	s.Name, s.Files = "checker", nil
	s.Args = append(slices.Clip(s.Args), job.CheckerInput, job.CheckerOutput, job.CheckerExpected)
	s.Limits.OutputBytes = min(s.Limits.OutputBytes, maxMessage)
	var expected []byte
	if t.Expected != nil {
		expected = *t.Expected
	}
	for _, f := range []nsjail.File{{Name: job.CheckerInput, Data: t.Stdin}, {Name: job.CheckerOutput, Data: output}, {Name: job.CheckerExpected, Data: expected}} {
		f.Mode = 0o644
		s.Files = append(s.Files, f)
	}
	return p.once(s)
}
