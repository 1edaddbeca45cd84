// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"errors"

	"github.com/ccee-dev/ccee/daemon/judge"
	"github.com/ccee-dev/ccee/daemon/outputs"
	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// runTests runs a job with tests: spec, whose own plan is p.
func (r *Runner) runTests(ctx context.Context, spec *job.Spec, p plan.Plan, root string, emit func(job.Event) error) (job.Result, error) {
	tests, err := r.planTests(ctx, spec, p, root)
	if err != nil {
		return job.Result{}, err
	}
	need := tests.Need()
	slot, err := r.admit(ctx, p.Lang.Name, need)
	if err != nil {
		return job.Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &testSlot{runner: r, slot: slot, tenant: p.Tenant, need: need, built: tests.NeedBuilt(), ev: newEvents(cancel, emit)}
	defer func() {
		if !s.lost {
			r.slots.Release(slot, s.need)
		}
		r.ready.Nudge()
	}()
	res, err := tests.Run(ctx, s)
	// A job that a shutdown cut short has no outcome: it has to run again elsewhere.
	if err == nil && res.Status == job.StatusCancelled && errors.Is(context.Cause(ctx), errShutdown) {
		err = errShutdown
	}
	if err != nil {
		return job.Result{}, stopped(ctx, err)
	}
	r.finish(p.Lang.Name, &res, s.ev)
	return res, nil
}

// planTests plans the tests of spec, and their checker, a program of its own with its own language.
func (r *Runner) planTests(ctx context.Context, spec *job.Spec, p plan.Plan, root string) (*judge.Tests, error) {
	tests, err := judge.New(spec, p, root)
	if err != nil || spec.Tests.Checker == nil {
		return tests, err
	}
	checker := spec.Tests.Checker.Spec()
	checker.Network = spec.Network
	p, root, err = r.plan(ctx, checker)
	switch job.ErrorCode(err) {
	case "":
		tests.AddChecker(p, root)
	case job.EInvalid, job.ENotFound:
		err = job.Invalid("checker", "%v", err)
	}
	return tests, err
}

// testSlot is the slot of a job with tests, in which its sandboxes run one after another. They have the same host ids, so each is
// torn down, or at least retired, before the next one is made. It is the job's judge.Runner.
type testSlot struct {
	runner *Runner
	slot   int
	tenant string
	need   slots.Need // that is reserved
	built  slots.Need // that is left of it once the programs are built
	lost   bool       // a sandbox could not be torn down
	ev     *events
}

// Run runs the only step of p in a sandbox that is gone when Run returns. It is first called when all is built, and gives back what only
// the builds needed.
func (s *testSlot) Run(ctx context.Context, p plan.Plan, root string, hidden bool) (job.Step, error) {
	s.runner.slots.Shrink(s.need, s.built)
	s.need = s.built
	sb, step, err := s.runFresh(ctx, p, root, hidden)
	return step, s.tearDown(ctx, p.Lang.Name, sb, err)
}

// Build does the same, but keeps the workspace if the step succeeded.
func (s *testSlot) Build(ctx context.Context, p plan.Plan, root string, hidden bool) (job.Step, judge.Workspace, error) {
	sb, step, err := s.runFresh(ctx, p, root, hidden)
	if err != nil || !step.OK() {
		return step, nil, s.tearDown(ctx, p.Lang.Name, sb, err)
	}
	sb.Retire()
	return step, workspace{sb, func() error { return s.tearDown(ctx, p.Lang.Name, sb, nil) }}, nil
}

// Emit sends an event to the job's caller.
func (s *testSlot) Emit(ev job.Event) { s.ev.send(ev) }

// runFresh runs the only step of p in a fresh sandbox, which has to be torn down; it is nil if there is none.
func (s *testSlot) runFresh(ctx context.Context, p plan.Plan, root string, hidden bool) (sandbox, job.Step, error) {
	sb, p, err := s.runner.setUp(ctx, p, root, s.slot)
	if err != nil {
		return nil, job.Step{}, err
	}
	leave, err := s.runner.shareCPU(s.tenant, sb)
	if err != nil {
		return sb, job.Step{}, err
	}
	defer leave()
	ev := s.ev
	if hidden {
		ev = nil
	}
	step, err := s.runner.runStep(ctx, sb, p.Steps[0], s.runner.filters.of(p), ev)
	return sb, step, err
}

// tearDown tears sb down unless it is nil, and returns err, or why it could not.
func (s *testSlot) tearDown(ctx context.Context, language string, sb sandbox, err error) error {
	if sb != nil && !s.runner.tearDown(ctx, language, sb, s.slot) {
		s.lost = true
		err = cmp.Or(err, errors.New("a sandbox could not be torn down: the next one must not have its ids"))
	}
	return err
}

// workspace is the workspace of a retired sandbox.
type workspace struct {
	sandbox
	close func() error
}

func (w workspace) Files() ([]nsjail.File, string) { return outputs.ListBuilt(w.Dir()) }
func (w workspace) Close() error                   { return w.close() }
