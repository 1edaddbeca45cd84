// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/cloud/ecs"
	"github.com/ccee-dev/ccee/job"
)

// ECSLimits are how long a task may take to do what it must.
type ECSLimits struct {
	Spot      time.Duration // ECS_SPOT_LAUNCH_SECONDS: from RunTask until it runs
	OnDemand  time.Duration // ECS_LAUNCH_SECONDS: the same of an on-demand task
	FirstCall time.Duration // ECS_FIRST_CALL_SECONDS: from then until it asks for its job
	Silence   time.Duration // ECS_SILENCE_SECONDS: between two calls after that
}

// taskView is what is known of a task.
type taskView struct {
	spot     bool
	launched time.Time
	running  time.Time // zero: it doesn't run yet
	state    ecs.State // zero: ECS has not told
	taken    bool      // it has the job
	silent   time.Duration
	reached  time.Time // since when Redis answers, without which no task is heard; zero: it doesn't
}

// verdict is why a task that has not reported its job's end is given up, "" while it is not.
type verdict string

const (
	noCapacity  verdict = "it did not run in time"
	neverCalled verdict = "it never asked for its job"
	wentSilent  verdict = "it stopped calling"
	interrupted verdict = "its machine was taken away"
	notStarted  verdict = "it could not be started"
	broke       verdict = "it ended without a result"
)

// judge decides whether to give up a task.
func (l ECSLimits) judge(v taskView, now time.Time) verdict {
	if v.state.Phase == ecs.Stopped {
		return judgeStopped(v)
	}
	limit := l.OnDemand
	if v.spot {
		limit = l.Spot
	}
	switch {
	case v.running.IsZero() && now.Sub(v.launched) >= limit:
		return noCapacity
	case v.reached.IsZero(): // nothing is heard of any task
	case !v.taken && !v.running.IsZero() && min(now.Sub(v.running), now.Sub(v.reached)) >= l.FirstCall:
		return neverCalled
	case v.taken && min(v.silent, now.Sub(v.reached)) >= l.Silence:
		return wentSilent
	}
	return ""
}

// judgeStopped is judge for a task that ECS has stopped.
func judgeStopped(v taskView) verdict {
	if v.state.Interrupted() {
		return interrupted
	}
	switch class, failed := v.state.FailedToStart(); {
	case failed && (class == ecs.Capacity || class == ecs.Quota):
		return noCapacity
	case failed:
		return notStarted
	case v.taken:
		return broke
	}
	return neverCalled
}

// taskEnd is how a task ended.
type taskEnd struct {
	report *job.Report // its last one; nil: why says what is wrong
	why    verdict
	view   taskView
}

// ecsStep is what to do after a task that gave no result.
type ecsStep struct {
	again    bool // in another task, under the same lease: the attempt is not lost
	onDemand bool // without Spot
	err      error
}

// ecsNext decides that after the nth task of an attempt, from 1. What AWS did is not the job's fault, and costs no attempt; how often the
// job gets another task is bounded all the same, and then it goes back to the queue. A task that broke or went silent while it had the job
// costs an attempt, as the job may be what broke it.
func ecsNext(end taskEnd, n int) ecsStep {
	why := end.why
	if end.report != nil && end.report.Interrupted {
		why = interrupted
	}
	text := fmt.Sprintf("the job's ECS task: %s", why)
	if r := end.view.state.Reason; r != "" {
		text += " (" + r + ")"
	}
	err := job.Errorf(job.EUnavailable, "%s", text)
	switch why {
	case interrupted:
		return ecsStep{again: n < mostLaunches, onDemand: n+1 == mostLaunches, err: err}
	case noCapacity:
		return ecsStep{again: end.view.spot && n < mostLaunches, onDemand: true, err: err}
	case broke, wentSilent:
		return ecsStep{err: errors.Join(ErrBroken, err)}
	}
	return ecsStep{err: err}
}

// ecsTier returns the size of task that a job needs, by the limits that it asks for or has by default.
func ecsTier(spec *job.Spec, languages []job.Language) (ecs.Tier, error) {
	own := named(languages, spec.Language)
	run := spec.Run.Fill(own.DefaultRun).Fill(job.DefaultRun)
	memory := run.MemoryBytes
	if len(own.Compile) > 0 { // a compiler may use all of the task's CPU, and has the time for less
		memory = max(memory, spec.Compile.Fill(own.DefaultCompile).Fill(job.DefaultCompile).MemoryBytes)
	}
	if spec.Tests != nil {
		for _, t := range spec.Tests.List {
			l := t.Run.Fill(run)
			run.CPUMillicores, memory = max(run.CPUMillicores, l.CPUMillicores), max(memory, l.MemoryBytes)
		}
	}
	tier, err := ecs.TierFor(run.CPUMillicores, memory)
	if err != nil {
		return "", job.Invalid("run", "can't be had: %v", err)
	}
	return tier, nil
}
