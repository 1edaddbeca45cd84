// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/cloud/ecs"
	"github.com/ccee-dev/ccee/handoff"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// How long the parts of an ECS task's life may take, and how often a job may have another one.
const (
	mostLaunches = 4               // tasks of one attempt; see ecsNext
	askEvery     = 3 * time.Second // for news of a task, even if nobody said that there are any
	endGrace     = 6 * time.Second // for a cancelled job to give back its output
	stopTimeout  = 5 * time.Second // for StopTask; the reaper does what it could not
	dropTimeout  = 3 * time.Second // for Redis, at the end
)

// ECSOptions are the settings of an ECS backend.
type ECSOptions struct {
	URL       string         // of the api, as tasks reach it
	Languages []job.Language // that the task definitions' image has
	Limits    ECSLimits
}

// ECS is the Backend that runs each job in an ECS task of its own: AWS's virtual machine is the wall between jobs.
type ECS struct {
	tasks  *ecs.Cluster
	offers *handoff.Store
	opts   ECSOptions
}

// NewECS returns the Backend of a cluster, whose Poll must run.
func NewECS(tasks *ecs.Cluster, offers *handoff.Store, opts ECSOptions) *ECS {
	return &ECS{tasks, offers, opts}
}

// Languages lists the configured languages.
func (b *ECS) Languages(context.Context) ([]job.Language, error) { return b.opts.Languages, nil }

// Ready returns an error while ECS refuses to start tasks. How many it can start is not known.
func (b *ECS) Ready(ctx context.Context) (Readiness, error) {
	l := b.opts.Limits
	return Readiness{QueueWait: mostLaunches * (l.Spot + l.OnDemand + l.FirstCall)}, b.tasks.Ready(ctx)
}

// Run runs the job in a task, and in another one where the first found no capacity or lost it.
func (b *ECS) Run(ctx context.Context, spec job.Spec, on func(job.Event)) (job.Result, error) {
	tier, err := ecsTier(&spec, b.opts.Languages)
	if err != nil {
		return job.Result{}, err
	}
	onDemand := false
	for n := 1; ; n++ {
		t := &ecsTask{backend: b, spec: spec, on: on}
		end, err := t.run(ctx, ecs.Launch{Job: spec.ID, Tier: tier, OnDemand: onDemand})
		if err != nil {
			return job.Result{}, err
		}
		switch {
		case end.report != nil && end.report.Result != nil:
			return *end.report.Result, nil
		case end.report != nil && end.report.Error != nil:
			return job.Result{}, end.report.Error
		case ctx.Err() != nil:
			return job.Result{}, fmt.Errorf("the task's result was not awaited: %w", context.Cause(ctx))
		}
		next := ecsNext(end, n)
		if !next.again {
			return job.Result{}, next.err
		}
		onDemand = onDemand || next.onDemand
	}
}

// ecsTask is one task on its way.
type ecsTask struct {
	backend *ECS
	spec    job.Spec
	on      func(job.Event)

	offer *handoff.Offer
	task  ecs.Task
	view  taskView
}

// run offers the job, starts a task for it and waits for its end. An error means that there was no task, or that the job is another
// worker's.
func (t *ecsTask) run(ctx context.Context, l ecs.Launch) (taskEnd, error) {
	b := t.backend
	var err error
	if t.offer, err = b.offers.Offer(ctx, t.spec); err != nil {
		return taskEnd{}, job.Errorf(job.EUnavailable, "offer the job to a task: %v", err)
	}
	defer t.drop(ctx)
	l.Number = t.offer.Number
	l.Env = map[string]string{"CCEE_TASK_URL": b.opts.URL, "CCEE_TASK_TOKEN": string(t.offer.Token)}
	if t.task, err = b.tasks.Start(ctx, l); err != nil {
		return taskEnd{}, job.Errorf(job.EUnavailable, "%v", err)
	}
	// If Redis doesn't answer now, the reaper spares the task while the offer is live.
	_ = t.offer.Launched(ctx, t.task.ARN)
	t.on(job.Event{Type: job.EventDispatched, Dispatch: &job.Dispatch{TaskARN: t.task.ARN, TaskDefinitionARN: t.task.Definition,
		ComputeTier: string(t.task.Tier), PurchaseOption: string(t.task.Purchase)}})
	end, err := t.wait(ctx)
	if end.report == nil || err != nil {
		t.stop(ctx, end.why)
	}
	return end, err
}

// drop makes the task's token void, whatever becomes of the task.
func (t *ecsTask) drop(ctx context.Context) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	_ = t.offer.Drop(bounded) // if this fails, it expires
}

func (t *ecsTask) stop(ctx context.Context, why verdict) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	reason := string(why)
	if why == "" {
		reason = "the job is cancelled, or its worker is stopping"
	}
	_ = t.backend.tasks.Stop(bounded, t.task.ARN, "ccee: "+reason) // if this fails, the reaper stops it
}

// wait passes on what the task reports until it has ended, or must end.
func (t *ecsTask) wait(ctx context.Context) (taskEnd, error) {
	changed, unwatch := t.offer.Changed()
	defer unwatch()
	states, forget := t.backend.tasks.Watch(t.task.ARN)
	defer forget()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	now := time.Now()
	t.view = taskView{launched: now, reached: now, spot: t.task.Purchase == ecs.Spot}
	for {
		select {
		case <-ctx.Done():
			return t.cancel(ctx, changed)
		case <-changed:
		case <-tick.C:
		case s := <-states:
			t.note(s)
		}
		report, err := t.ask(ctx)
		if report != nil || err != nil {
			return taskEnd{report: report}, err
		}
		if why := t.backend.opts.Limits.judge(t.view, time.Now()); why != "" {
			if t.view.spot && why == noCapacity {
				t.backend.tasks.SpotStuck()
			}
			return taskEnd{why: why, view: t.view}, nil
		}
	}
}

// note takes what ECS says of the task.
func (t *ecsTask) note(s ecs.State) {
	t.view.state = s
	if s.Phase == ecs.Running {
		t.runs()
	}
}

// runs notes that the task has found capacity.
func (t *ecsTask) runs() {
	if t.view.running.IsZero() {
		if t.view.running = time.Now(); t.view.spot {
			t.backend.tasks.SpotRuns()
		}
	}
}

// ask asks for news, and passes events on. It returns the last report if there is one.
func (t *ecsTask) ask(ctx context.Context) (*job.Report, error) {
	news, err := t.offer.Next(ctx)
	switch {
	case errors.Is(err, handoff.ErrVoid):
		return nil, job.Errorf(job.EUnavailable, "the job was offered again: another worker has it")
	case err != nil: // Redis; the lease says when to give up
		t.view.reached = time.Time{}
		return nil, nil
	}
	if t.view.reached.IsZero() {
		t.view.reached = time.Now()
	}
	if t.view.taken, t.view.silent = news.Taken, news.Silent; news.Taken {
		t.runs()
	}
	for _, ev := range news.Events {
		t.on(ev)
	}
	return news.End, nil
}

// cancel ends the task of a job that the worker must end. A tenant who cancels a job gets what it wrote so far.
func (t *ecsTask) cancel(ctx context.Context, changed <-chan struct{}) (taskEnd, error) {
	if !t.view.taken || !errors.Is(context.Cause(ctx), queue.ErrCancelRequested) {
		return taskEnd{}, nil
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	if t.offer.Cancel(grace) != nil {
		return taskEnd{}, nil
	}
	for {
		select {
		case <-grace.Done():
			return taskEnd{}, nil
		case <-changed:
		}
		if report, err := t.ask(grace); report != nil || err != nil {
			return taskEnd{report: report}, err
		}
	}
}
