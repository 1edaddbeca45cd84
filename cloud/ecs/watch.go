// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// The pauses between two looks at a task: they grow while nothing changes.
const (
	firstLook = 2 * time.Second
	lastLook  = 20 * time.Second
)

// missingGrace is how long after its start a task may be unknown to DescribeTasks, which is eventually consistent.
const missingGrace = time.Minute

// maxDescribed is how many tasks one DescribeTasks may name.
const maxDescribed = 100

// Phase is how far a task has come.
type Phase string

// The phases: lastStatus has more words ("Task lifecycle").
const (
	Starting Phase = "starting" // PROVISIONING, PENDING, ACTIVATING
	Running  Phase = "running"
	Stopping Phase = "stopping" // DEACTIVATING, STOPPING, DEPROVISIONING
	Stopped  Phase = "stopped"  // or forgotten by ECS
)

var phases = map[string]Phase{
	"PROVISIONING": Starting, "PENDING": Starting, "ACTIVATING": Starting, "RUNNING": Running,
	"DEACTIVATING": Stopping, "STOPPING": Stopping, "DEPROVISIONING": Stopping, "STOPPED": Stopped, "DELETED": Stopped,
}

// State is a task's state as ECS has last told.
type State struct {
	Phase    Phase
	StopCode string // "SpotInterruption", "TaskFailedToStart" ...; "" while it is not stopped
	Reason   string // AWS's words
	ExitCode *int32 // of its container, nil if it has none
}

// Interrupted reports whether AWS took the machine away.
func (s State) Interrupted() bool {
	switch types.TaskStopCode(s.StopCode) {
	case types.TaskStopCodeSpotInterruption, types.TaskStopCodeTerminationNotice, types.TaskStopCodeInfrastructureHealth:
		return true
	}
	return false
}

// FailedToStart reports whether the task's program never ran, and the class of the reason.
func (s State) FailedToStart() (Class, bool) {
	if types.TaskStopCode(s.StopCode) != types.TaskStopCodeTaskFailedToStart {
		return "", false
	}
	if c := classifyText(s.Reason); c != "" {
		return c, true
	}
	return Refused, true
}

// watch is one task that somebody watches.
type watch struct {
	states chan State // holds the latest state that was not read
	began  time.Time
	last   State
	pause  time.Duration
	next   time.Time
}

// Watch returns a channel that gets the task's state when it changes, and the function that ends the watch. Poll must run.
func (c *Cluster) Watch(arn string) (<-chan State, func()) {
	now := time.Now()
	w := &watch{states: make(chan State, 1), began: now, pause: c.look, next: now.Add(c.look)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches[arn] = w
	select {
	case c.added <- struct{}{}:
	default:
	}
	return w.states, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watches, arn)
	}
}

// Poll asks ECS about the watched tasks until ctx ends, for all of them together.
func (c *Cluster) Poll(ctx context.Context) {
	refusals := 0
	for ctx.Err() == nil {
		arns, wait := c.askable(time.Now())
		if len(arns) == 0 {
			c.idle(ctx, wait)
			continue
		}
		states, err := c.describe(ctx, arns)
		if err != nil {
			refusals++
			pause, again := c.pause(classifyError(err), refusals)
			if !again {
				pause = refusedPause
			}
			if refusals == 1 && ctx.Err() == nil {
				c.log.Warn().Err(err).Msg("ECS doesn't say what its tasks do; asking again")
			}
			sleep(ctx, pause)
			continue
		}
		refusals = 0
		c.note(arns, states, time.Now())
	}
}

// idle waits until a watch may be due.
func (c *Cluster) idle(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-c.added:
	case <-t.C:
	}
}

// askable returns the tasks to be asked about now, at most as many as one call may name, or how long there will be none.
func (c *Cluster) askable(now time.Time) (arns []string, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = lastLook
	for arn, w := range c.watches {
		if d := w.next.Sub(now); d > 0 {
			wait = min(wait, d)
		} else if len(arns) < maxDescribed {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return arns, wait
}

// describe asks about tasks once. What ECS does not know is missing in the answer.
func (c *Cluster) describe(ctx context.Context, arns []string) (map[string]State, error) {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := c.api.DescribeTasks(bounded, &ecs.DescribeTasksInput{Cluster: &c.cfg.Cluster, Tasks: arns})
	if err != nil {
		return nil, err
	}
	c.answered()
	states := make(map[string]State, len(out.Tasks))
	for _, t := range out.Tasks {
		states[deref(t.TaskArn)] = stateOf(t, c.cfg.Container)
	}
	return states, nil
}

// stateOf returns the state of a task as DescribeTasks has it. A status that there was not when this was written is that of a running task:
// the other deadlines hold.
func stateOf(t types.Task, container string) State {
	phase, known := phases[strings.ToUpper(deref(t.LastStatus))]
	if !known {
		phase = Running
	}
	s := State{Phase: phase, StopCode: string(t.StopCode), Reason: deref(t.StoppedReason)}
	for _, each := range t.Containers {
		if deref(each.Name) == container {
			s.ExitCode = each.ExitCode
			if s.Reason == "" {
				s.Reason = deref(each.Reason)
			}
		}
	}
	return s
}

// note passes on the states of the tasks that were asked about.
func (c *Cluster) note(arns []string, states map[string]State, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, arn := range arns {
		w := c.watches[arn]
		if w == nil {
			continue
		}
		s, known := states[arn]
		if !known && now.Sub(w.began) >= missingGrace {
			s, known = State{Phase: Stopped, Reason: "ECS has no such task"}, true
		}
		if known && (s.Phase != w.last.Phase || s.StopCode != w.last.StopCode) {
			w.last, w.pause = s, c.look
			select {
			case <-w.states:
			default:
			}
			w.states <- s
		} else {
			w.pause = min(w.pause*3/2, lastLook)
		}
		w.next = now.Add(w.pause)
	}
}

// gone reports whether an error of StopTask says that there is no such task.
func gone(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "InvalidParameterException" &&
		strings.Contains(strings.ToLower(api.ErrorMessage()), "not found")
}
