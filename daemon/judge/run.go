// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"context"
	"slices"
	"time"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
)

// Run builds the programs and runs the tests, which it may do only once. The result lacks its Tier. An error is a fault of ours.
func (t *Tests) Run(ctx context.Context, r Runner) (job.Result, error) {
	began := time.Now()
	defer t.checker.discard()
	defer t.program.discard()
	var steps []job.Step
	step, err := t.program.build(ctx, r, false)
	if err != nil {
		return job.Result{}, err
	}
	if step != nil {
		if steps = append(steps, *step); !step.OK() {
			return t.notBuilt(steps, began), nil
		}
	}
	if step, err = t.checker.build(ctx, r, true); err != nil {
		return job.Result{}, err
	}
	if step != nil && !step.OK() {
		step.Name = "checker"
		res := t.notBuilt(append(steps, *step), began)
		if res.Status == job.Failed {
			res.Verdict = job.CheckerFailed
		}
		return res, nil
	}
	done, cut, err := t.runAll(ctx, r)
	if err != nil {
		return job.Result{}, err
	}
	return t.result(steps, done, cut, began), nil
}

// notBuilt is the result of a job of which the last step, a build, failed.
func (t *Tests) notBuilt(steps []job.Step, began time.Time) job.Result {
	res := plan.JobResult(steps, t.program.Lang.Image, time.Since(began), steps[len(steps)-1].Verdict == job.VerdictCancelled)
	res.Tests = t.results(nil)
	return res
}

// runAll runs the tests in order, until one fails if the job asks for that. cut reports that the job was cancelled before its end.
func (t *Tests) runAll(ctx context.Context, r Runner) (done []job.TestResult, cut bool, err error) {
	failed := false
	for i := range t.list {
		if cut = ctx.Err() != nil; cut || t.stop && failed {
			break
		}
		got, err := t.judge(ctx, r, &t.list[i])
		if err != nil {
			return nil, false, err
		}
		done = append(done, got)
		if cut = got.Verdict == job.VerdictCancelled; cut {
			break
		}
		r.Emit(job.Event{Type: job.EventTest, Test: i + 1, Verdict: got.Verdict, Data: []byte(got.Message)})
		failed = failed || !got.Passed()
	}
	return done, cut, nil
}

// result sums up a job of which the tests in done ran. steps are those of the build.
func (t *Tests) result(steps []job.Step, done []job.TestResult, cut bool, began time.Time) job.Result {
	res := job.Result{
		Status: job.Succeeded, Verdict: job.Exited, WallMs: plan.Milliseconds(time.Since(began)), Steps: steps,
		Image: t.program.Lang.Image, Tests: t.results(done),
	}
	failed := slices.IndexFunc(done, func(r job.TestResult) bool { return !r.Passed() })
	switch {
	case cut:
		res.Status, res.Verdict = job.StatusCancelled, job.VerdictCancelled
	case failed >= 0:
		first := &done[failed]
		res.Status, res.Verdict, res.ExitCode, res.Signal = job.Failed, first.Verdict, first.Run.ExitCode, first.Run.Signal
	default:
		res.ExitCode = done[len(done)-1].Run.ExitCode
	}
	return res
}

// results lists all tests in their order: done, then the others as not run.
func (t *Tests) results(done []job.TestResult) *job.TestResults {
	all := &job.TestResults{Total: len(t.list), List: done}
	for i := range done {
		if done[i].Passed() {
			all.Passed++
		}
	}
	for _, one := range t.list[len(done):] {
		all.List = append(all.List, job.TestResult{Name: one.Name, Verdict: job.NotRun})
	}
	return all
}
