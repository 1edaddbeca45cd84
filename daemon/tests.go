package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"ccee/api/job"
	"ccee/nsjail"
)

const (
	// maxBuilt bounds in bytes the programs of all jobs with tests that are held in memory between their runs, and maxProgram one.
	maxBuilt   = 256 << 20
	maxProgram = 32 << 20
	maxBuiltBy = 4096 // files of one
	builtDepth = 256  // path elements of their names: a package may be deep
)

// everything is what a build left.
var everything = job.Globs{{"**", "*"}}

// sitting is a job's slot while sandboxes follow each other in it. They have the same host ids, so each is gone before the next is made.
type sitting struct {
	*Runner
	*trial
	slot int
	lost bool // a sandbox could not be torn down
	ev   *events
	held int64 // bytes of built programs
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
		r.built.Release(s.held)
		if !s.lost {
			r.slots.release(slot, t.need())
		}
		r.ready.nudge()
	}()
	res, err := s.run(ctx)
	// What a shutdown cut short has no outcome: it is to be run again elsewhere.
	if err == nil && res.Status == job.Cancelled && errors.Is(context.Cause(ctx), errShutdown) {
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
	res := jobResult(steps, s.program.lang.Image, time.Since(s.ev.began), step.Verdict == job.WasCancelled)
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

// build builds p, if there is anything to build, and takes what it consists of then. A program that can't be taken has not been built: that
// is up to whoever wrote it, so it is a result.
func (s *sitting) build(ctx context.Context, p *program, ev *events) (*job.Step, error) {
	if p == nil || p.build == nil {
		return nil, nil
	}
	only := plan{lang: p.lang, loopback: p.loopback, steps: []step{*p.build}, outputs: everything}
	why := ""
	step, err := s.in(ctx, p, only, ev, func(dir int) (err error) {
		p.files, why, err = s.take(dir)
		return err
	})
	if why != "" {
		step.Verdict, step.Message = job.StartFailed, why
	}
	return &step, err
}

// in runs the one step of a plan of p in a fresh sandbox. then looks at what a step left that did well.
func (s *sitting) in(ctx context.Context, p *program, only plan, ev *events, then func(dir int) error) (job.Step, error) {
	sb, only, err := s.setUp(ctx, only, p.root, s.slot)
	if err != nil {
		return job.Step{}, err
	}
	name := only.steps[0].name
	running := s.span(ctx, name)
	got, err := runStep(ctx, sb, only.steps[0], s.filters.of(only), ev)
	running.End()
	if err == nil && then != nil && got.OK() {
		err = then(sb.Dir())
	}
	if !s.tearDown(ctx, p.lang.Name, sb, s.slot) {
		s.lost = true
		err = cmp.Or(err, errors.New("a sandbox could not be torn down: the next one must not have its ids"))
	}
	if err != nil {
		return job.Step{}, fmt.Errorf("%s step: %w", name, err)
	}
	return got, nil
}

// take reads what a build left. It must be all of it: a program with a part missing would fail in ways that nobody could explain. If it can't
// be, why says the reason.
func (s *sitting) take(dir int) (files []nsjail.File, why string, err error) {
	left := newSearch(dir, everything, job.Limits{OutputFilesMax: maxBuiltBy, OutputFileBytes: maxProgram, OutputFilesBytes: maxProgram})
	left.depth, left.inner = builtDepth, true
	if dir < 0 {
		return nil, "", nil
	}
	left.walk("")
	if !s.built.TryAcquire(left.bytes) {
		return nil, "", job.Errorf(job.EBusy, "the compiled programs of other jobs take up %d MiB: try again later", maxBuilt/job.MiB)
	}
	s.held += left.bytes
	left.readAll()
	if skipped := left.out.Skipped; len(skipped) > 0 {
		return nil, fmt.Sprintf("the compile step left %q, which can't be carried to the tests (%s): at most %d regular files of %d MiB together can",
			skipped[0].Name, skipped[0].Reason, maxBuiltBy, maxProgram/job.MiB), nil
	}
	files = make([]nsjail.File, len(left.out.Files))
	for i, f := range left.out.Files {
		files[i] = nsjail.File{Name: f.Name, Data: f.Data, Mode: 0o644}
		if f.Exec {
			files[i].Mode = 0o755
		}
	}
	return files, "", nil
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
		if cut = got.Verdict == job.WasCancelled; cut {
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
		res.Status, res.Verdict = job.Cancelled, job.WasCancelled
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
	got, err := s.in(ctx, &s.program, s.program.alone(t.step), s.ev, nil)
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
	got, err := s.in(ctx, s.checker, s.checker.judge(t, output), s.quiet(), nil)
	if err != nil {
		return err
	}
	res.Message = cmp.Or(got.Stdout.Text(), got.Stderr.Text())
	switch {
	case got.OK():
		res.Verdict = job.Accepted
	case got.Verdict == job.Exited && got.ExitCode != nil && (*got.ExitCode == 1 || *got.ExitCode == 2):
		res.Verdict = job.WrongAnswer
	case got.Verdict == job.WasCancelled:
		res.Verdict = job.WasCancelled
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
