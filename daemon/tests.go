package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// sitting is a job's slot while sandboxes follow each other in it. They have the same host ids, so each is gone before the next is made.
type sitting struct {
	*Runner
	*trial
	slot int
	lost bool // a sandbox could not be torn down
	ev   *events
}

// runTests builds the program of spec, whose plan is p, and runs it for each test.
func (r *Runner) runTests(ctx context.Context, spec *job.Spec, p plan, root string, emit func(job.Event) error) (job.Result, error) {
	t, err := r.newTrial(ctx, spec, p, root)
	if err != nil {
		return job.Result{}, err
	}
	slot, err := r.admit(ctx, p.lang.Name, t.need())
	if err != nil {
		return job.Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &sitting{Runner: r, trial: t, slot: slot, ev: &events{began: time.Now(), cancel: cancel, emit: emit}}
	defer func() {
		s.forget(ctx)
		if !s.lost {
			r.slots.release(slot, t.need())
		}
		r.ready.nudge()
	}()
	res, err := s.run(ctx)
	// What a shutdown cut short has no outcome: it is to be run again elsewhere.
	if err == nil && res.Status == job.StatusCancelled && errors.Is(context.Cause(ctx), errShutdown) {
		err = errShutdown
	}
	if err != nil {
		return job.Result{}, stopped(ctx, err)
	}
	if r.degraded {
		res.Tier = degradedTier
	}
	r.metrics.finished(p.lang.Name, &res)
	s.ev.send(job.Event{Type: job.EventResult, Result: &res})
	return res, nil
}

// run builds both programs and runs the tests.
func (s *sitting) run(ctx context.Context) (job.Result, error) {
	step, err := s.build(ctx, &s.program, s.ev)
	if err != nil {
		return job.Result{}, err
	}
	var steps []job.Step
	if step != nil {
		steps = append(steps, *step)
	}
	if step == nil || step.OK() {
		if step, err = s.build(ctx, s.checker, s.quiet()); err != nil {
			return job.Result{}, err
		}
		if step == nil || step.OK() {
			return s.runAll(ctx, steps)
		}
		step.Name = "checker"
		steps = append(steps, *step)
	}
	res := jobResult(steps, s.program.lang.Image, time.Since(s.ev.began), step.Verdict == job.VerdictCancelled)
	if step.Name == "checker" && res.Status == job.Failed {
		res.Verdict = job.CheckerFailed
	}
	res.Tests = s.results(nil)
	return res, nil
}

// quiet is for steps that the caller hears nothing of.
func (s *sitting) quiet() *events {
	return &events{began: s.ev.began, cancel: s.ev.cancel, emit: func(job.Event) error { return nil }}
}

// build builds p, if there is anything to build, and keeps the sandbox in which the parts are of which it consists then. A program that can't be
// carried to the tests has not been built: that is up to whoever wrote it, so it is a result.
func (s *sitting) build(ctx context.Context, p *program, ev *events) (*job.Step, error) {
	if p == nil || p.build == nil {
		return nil, nil
	}
	only := plan{lang: p.lang, loopback: p.loopback, steps: []step{*p.build}, outputs: everything}
	sb, step, err := s.in(ctx, p, only, ev)
	if err != nil || !step.OK() {
		return &step, s.done(ctx, p, sb, err)
	}
	sb.Retire()
	p.built = sb
	var why string
	if p.files, why = carried(sb.Dir()); why != "" {
		step.Verdict, step.Message = job.StartFailed, why
	}
	return &step, nil
}

// forget gives up what was built.
func (s *sitting) forget(ctx context.Context) {
	for _, p := range []*program{&s.program, s.checker} {
		if p != nil && p.built != nil {
			_ = s.done(ctx, p, p.built, nil) // s.lost says it
		}
	}
}

// in runs the one step of a plan of p in a fresh sandbox, which done must be called with; it is nil if there is none.
func (s *sitting) in(ctx context.Context, p *program, only plan, ev *events) (sandbox, job.Step, error) {
	sb, only, err := s.setUp(ctx, only, p.root, s.slot)
	if err != nil {
		return nil, job.Step{}, err
	}
	name := only.steps[0].name
	running := s.span(ctx, name)
	got, err := runStep(ctx, sb, only.steps[0], s.filters.of(only), ev)
	running.End()
	if err != nil {
		err = fmt.Errorf("%s step: %w", name, err)
	}
	return sb, got, err
}

// done takes a sandbox down, and returns err, or why it could not.
func (s *sitting) done(ctx context.Context, p *program, sb sandbox, err error) error {
	if sb != nil && !s.tearDown(ctx, p.lang.Name, sb, s.slot) {
		s.lost = true
		err = cmp.Or(err, errors.New("a sandbox could not be torn down: the next one must not have its ids"))
	}
	return err
}

// once runs the one step of a plan of p in a sandbox that is gone then.
func (s *sitting) once(ctx context.Context, p *program, only plan, ev *events) (job.Step, error) {
	sb, got, err := s.in(ctx, p, only, ev)
	return got, s.done(ctx, p, sb, err)
}

// runAll runs the tests. steps are those before.
func (s *sitting) runAll(ctx context.Context, steps []job.Step) (job.Result, error) {
	var done []job.TestResult
	var first *job.TestResult // that did not pass
	cut := false
	for i := range s.tests {
		if cut = ctx.Err() != nil; cut || s.stop && first != nil {
			break
		}
		got, err := s.test(ctx, &s.tests[i])
		if err != nil {
			return job.Result{}, err
		}
		done = append(done, got)
		if cut = got.Verdict == job.VerdictCancelled; cut {
			break
		}
		s.ev.send(job.Event{Type: job.EventTest, Test: i + 1, Verdict: got.Verdict, Data: []byte(got.Message)})
		if !got.Passed() && first == nil {
			first = &got
		}
	}
	res := job.Result{
		Status: job.Succeeded, Verdict: job.Exited, WallMs: milliseconds(time.Since(s.ev.began)), Steps: steps,
		Tier: jailTier, Image: s.program.lang.Image, Tests: s.results(done),
	}
	switch {
	case cut:
		res.Status, res.Verdict = job.StatusCancelled, job.VerdictCancelled
	case first != nil:
		res.Status, res.Verdict, res.ExitCode, res.Signal = job.Failed, first.Verdict, first.Run.ExitCode, first.Run.Signal
	default:
		res.ExitCode = done[len(done)-1].Run.ExitCode
	}
	return res, nil
}

// results are all tests in their order: those that are done, and the others as left out.
func (s *sitting) results(done []job.TestResult) *job.TestResults {
	all := &job.TestResults{Total: len(s.tests), List: done}
	for i := range done {
		if done[i].Passed() {
			all.Passed++
		}
	}
	for _, t := range s.tests[len(done):] {
		all.List = append(all.List, job.TestResult{Name: t.Name, Verdict: job.NotRun})
	}
	return all
}

// test runs one test and judges it.
func (s *sitting) test(ctx context.Context, t *test) (job.TestResult, error) {
	got, err := s.once(ctx, &s.program, s.program.alone(t.step), s.ev)
	if err != nil {
		return job.TestResult{}, err
	}
	res := job.TestResult{Name: t.Name, Run: &got}
	out := got.Stdout
	switch {
	case got.Verdict != job.Exited || got.ExitCode == nil:
		res.Verdict, res.Message = got.Verdict, got.Message
	case *got.ExitCode != t.ExitCode:
		res.Verdict, res.Message = job.Exited, fmt.Sprintf("exit code %d, expected %d", *got.ExitCode, t.ExitCode)
		if *got.ExitCode == 0 {
			res.Verdict = job.WrongAnswer
		}
	case out.Truncated && (s.checker != nil || t.Expected != nil):
		res.Verdict, res.Message = job.WrongAnswer, fmt.Sprintf("the output has %d bytes: too many to be right", out.Bytes)
	case s.checker != nil:
		if err := s.check(ctx, t, out.Data, &res); err != nil {
			return job.TestResult{}, err
		}
	default:
		res.Verdict = job.Accepted
		if t.Expected != nil {
			if res.Message = compare(s.compare, out.Data, *t.Expected); res.Message != "" {
				res.Verdict = job.WrongAnswer
			}
		}
	}
	got.Limits.OutputBytes = int64(t.kept)
	cutOutput(&got.Stdout, t.kept)
	cutOutput(&got.Stderr, t.kept)
	return res, nil
}

// check has the checker judge an output.
func (s *sitting) check(ctx context.Context, t *test, output []byte, res *job.TestResult) error {
	got, err := s.once(ctx, s.checker, s.checker.judge(t, output), s.quiet())
	if err != nil {
		return err
	}
	res.Message = cmp.Or(got.Stdout.Text(), got.Stderr.Text())
	switch {
	case got.OK():
		res.Verdict = job.Accepted
	case got.Verdict == job.Exited && got.ExitCode != nil && (*got.ExitCode == 1 || *got.ExitCode == 2):
		res.Verdict = job.WrongAnswer
	case got.Verdict == job.VerdictCancelled:
		res.Verdict = job.VerdictCancelled
	default:
		res.Verdict, res.Checker = job.CheckerFailed, &got
	}
	return nil
}

// cutOutput keeps the first n bytes of o.
func cutOutput(o *job.Output, n int) {
	if len(o.Data) > n {
		o.Data, o.Truncated = append([]byte(nil), o.Data[:n]...), true
	}
}
