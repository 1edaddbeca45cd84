// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The reaper's intervals.
const (
	reapEvery = 30 * time.Second
	reapLease = 90 * time.Second
	// reapGrace is how long a task must have been an orphan before it is stopped. After an outage of Redis the workers are silent at first;
	// and a worker that has just claimed the job may yet offer it.
	reapGrace = time.Minute
)

// Offers knows which jobs somebody waits for: package handoff's Store.
type Offers interface {
	// Live returns these jobs, each with the ARN of its task, "" while that is not known.
	Live(ctx context.Context) (map[string]string, error)
	// Lead takes or renews a lease that one holder has at a time, and reports whether this one has it.
	Lead(ctx context.Context, holder string, d time.Duration) (bool, error)
}

// Reap stops tasks of ours that nobody waits for, until ctx ends. One of all callers that share Offers does it at a time. A worker stops
// its own tasks; what is left are those of workers that died, and those of which no answer to RunTask came.
func (c *Cluster) Reap(ctx context.Context, o Offers, holder string) {
	orphans := map[string]time.Time{} // by ARN, since when
	t := time.NewTicker(reapEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := c.reap(ctx, o, holder, orphans, time.Now()); err != nil && ctx.Err() == nil {
			c.log.Warn().Err(err).Msg("orphan tasks can't be looked for; trying again")
		}
	}
}

// reap is one pass.
func (c *Cluster) reap(ctx context.Context, o Offers, holder string, orphans map[string]time.Time, now time.Time) error {
	bounded, cancel := context.WithTimeout(ctx, reapLease-reapEvery)
	defer cancel()
	if lead, err := o.Lead(bounded, holder, reapLease); err != nil || !lead {
		clear(orphans)
		return err
	}
	tasks, err := c.tasks(bounded, &ecs.ListTasksInput{Cluster: &c.cfg.Cluster, DesiredStatus: types.DesiredStatusRunning})
	if err != nil {
		return err
	}
	live, err := o.Live(bounded) // after the list: a task in it whose job is offered is live by now
	if err != nil {
		return err
	}
	for _, arn := range due(tasks, live, orphans, now) {
		c.log.Warn().Str("task", arn).Msg("nobody waits for a task: stopping it")
		if err := c.Stop(bounded, arn, "ccee: nobody waits for this task"); err != nil {
			return err
		}
	}
	return nil
}

// due returns the tasks to stop now, and keeps in orphans since when each has been one.
func due(tasks []types.Task, live map[string]string, orphans map[string]time.Time, now time.Time) []string {
	jobs := make(map[string]string, len(live)) // the task by startedBy
	for id, arn := range live {
		jobs[StartedBy(id)] = arn
	}
	seen := map[string]bool{}
	var stop []string
	for _, t := range tasks {
		arn, by := deref(t.TaskArn), deref(t.StartedBy)
		if current, waited := jobs[by]; !strings.HasPrefix(by, startedByPrefix) || waited && (current == "" || current == arn) {
			continue
		}
		seen[arn] = true
		since, before := orphans[arn]
		switch {
		case !before:
			orphans[arn] = now
		case now.Sub(since) >= reapGrace:
			stop = append(stop, arn)
		}
	}
	for arn := range orphans {
		if !seen[arn] {
			delete(orphans, arn)
		}
	}
	return stop
}

// tasks lists tasks, and describes them.
func (c *Cluster) tasks(ctx context.Context, in *ecs.ListTasksInput) ([]types.Task, error) {
	var all []types.Task
	for pages := ecs.NewListTasksPaginator(c.api, in); pages.HasMorePages(); {
		var page *ecs.ListTasksOutput
		err := c.insist(ctx, func() (err error) { page, err = pages.NextPage(ctx); return err })
		if err != nil {
			return nil, err
		}
		if len(page.TaskArns) == 0 { // DescribeTasks refuses to be asked about none
			continue
		}
		var out *ecs.DescribeTasksOutput
		in := &ecs.DescribeTasksInput{Cluster: &c.cfg.Cluster, Tasks: page.TaskArns}
		if err := c.insist(ctx, func() (err error) { out, err = c.api.DescribeTasks(ctx, in); return err }); err != nil {
			return nil, err
		}
		all = append(all, out.Tasks...)
	}
	return all, nil
}

// insist calls ECS up to three times, where that may help.
func (c *Cluster) insist(ctx context.Context, call func() error) error {
	for n := 1; ; n++ {
		err := call()
		if err == nil || n == 3 {
			return err
		}
		if pause, again := c.pause(classifyError(err), n); !again || !sleep(ctx, pause) {
			return err
		}
	}
}
