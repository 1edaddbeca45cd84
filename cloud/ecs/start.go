// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/rs/zerolog"
)

// callTimeout bounds one call of ECS.
const callTimeout = 15 * time.Second

// Cluster runs tasks in one ECS cluster. Its methods may be called from several goroutines.
type Cluster struct {
	api *ecs.Client
	cfg Config
	log zerolog.Logger

	pause func(c Class, n int) (d time.Duration, again bool) // pauseAfter; tests wait less
	look  time.Duration                                      // firstLook

	mu      sync.Mutex // guards the rest
	spot    spotState
	refused error     // why ECS refuses every launch, until the time below
	retryAt time.Time // nothing is started before
	checked time.Time // when ECS last answered
	watches map[string]*watch
	added   chan struct{} // poked when there is a new watch
}

// Load returns the cluster in a region, with the credentials that the AWS SDK finds in the environment. It makes no call.
func Load(ctx context.Context, region string, cfg Config, log zerolog.Logger) (*Cluster, error) {
	if region == "" {
		return nil, errors.New("AWS_REGION is not set")
	}
	sdk, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("configure the AWS SDK: %w", err)
	}
	return New(sdk, cfg, log)
}

// New returns the cluster with that configuration of the SDK.
func New(sdk aws.Config, cfg Config, log zerolog.Logger) (*Cluster, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	// Retries are ours: the SDK's don't know which refusals say nothing about the job.
	api := ecs.NewFromConfig(sdk, func(o *ecs.Options) { o.Retryer = aws.NopRetryer{} })
	return &Cluster{api: api, cfg: cfg, log: log, pause: pauseAtRandom, look: firstLook, watches: map[string]*watch{},
		added: make(chan struct{}, 1)}, nil
}

// Task is a task that was started.
type Task struct {
	ARN, Definition string
	Tier            Tier
	Purchase        Purchase
}

// Start starts the task of a launch: on Spot where that is on and has had capacity of late, else on demand. It waits and asks again where
// that may help, at most for Config.LaunchDeadline; then, or where it doesn't help, the error is a *Fault. When ctx ends, it ends the
// pauses, but not a call, so that a task that was started is known.
func (c *Cluster) Start(ctx context.Context, l Launch) (Task, error) {
	deadline, cancel := context.WithTimeout(ctx, c.cfg.LaunchDeadline)
	defer cancel()
	purchase := c.choose(l)
	for n := 1; ; n++ {
		t, fault := c.run(ctx, l, purchase)
		if fault == nil {
			return t, nil
		}
		if fault.Class == Capacity && purchase == Spot {
			c.spotFailed()
			if c.cfg.Fallback { // nothing was started, and the clientToken is another one
				purchase, n = OnDemand, 0
				continue
			}
		}
		pause, again := c.pause(fault.Class, n)
		if !again || !sleep(deadline, pause) {
			c.hold(fault)
			return Task{}, fault
		}
	}
}

// choose returns the purchase option with which a launch begins.
func (c *Cluster) choose(l Launch) Purchase {
	if !c.cfg.Spot || l.OnDemand && c.cfg.Fallback {
		return OnDemand
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next, spot := c.spot.choose(time.Now())
	if c.spot = next; spot || !c.cfg.Fallback {
		return Spot
	}
	return OnDemand
}

// run calls RunTask once.
func (c *Cluster) run(ctx context.Context, l Launch, p Purchase) (Task, *Fault) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	out, err := c.api.RunTask(bounded, c.cfg.request(l, p))
	switch {
	case err != nil:
		return Task{}, &Fault{classifyError(err), err}
	case len(out.Tasks) == 0:
		return Task{}, classifyFailures(out.Failures)
	}
	c.answered()
	t := out.Tasks[0]
	return Task{ARN: deref(t.TaskArn), Definition: deref(t.TaskDefinitionArn), Tier: l.Tier, Purchase: p}, nil
}

// Stop asks ECS to stop a task. One that is stopped, or unknown, is no error.
func (c *Cluster) Stop(ctx context.Context, arn, reason string) error {
	for n := 1; ; n++ {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		_, err := c.api.StopTask(bounded, &ecs.StopTaskInput{Cluster: &c.cfg.Cluster, Task: &arn, Reason: &reason})
		cancel()
		if err == nil || gone(err) {
			return nil
		}
		pause, again := c.pause(classifyError(err), n)
		if !again || !sleep(ctx, pause) {
			return &Fault{classifyError(err), err}
		}
	}
}

// SpotStuck notes that a Spot task did not run in time. Such a task has found no capacity.
func (c *Cluster) SpotStuck() { c.spotFailed() }

func (c *Cluster) spotFailed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.spot.until
	if c.spot = c.spot.failed(time.Now()); !c.spot.until.Equal(before) {
		c.log.Warn().Time("until", c.spot.until).Msg("Spot has no capacity: it is left out")
	}
}

// SpotRuns notes that a Spot task runs.
func (c *Cluster) SpotRuns() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spot = c.spot.worked()
}

// hold keeps new jobs in the queue for a while after a launch that failed: Ready says why.
func (c *Cluster) hold(f *Fault) {
	pause, ok := c.pause(f.Class, 1)
	if !ok {
		pause = refusedPause
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused, c.retryAt = f, time.Now().Add(pause); f.Class == Conflict {
		c.refused = nil // of one launch
	}
}

// refusedPause is how long no job is claimed after ECS refused a launch for a reason that waiting doesn't mend.
const refusedPause = 30 * time.Second

func (c *Cluster) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused, c.checked = nil, time.Now()
}

// checkEvery is how often Ready asks ECS: it is called every few seconds.
const checkEvery = time.Minute

// Ready returns an error if no task can be started now.
func (c *Cluster) Ready(ctx context.Context) error {
	c.mu.Lock()
	refused, retryAt, checked := c.refused, c.retryAt, c.checked
	c.mu.Unlock()
	switch {
	case refused != nil && time.Now().Before(retryAt):
		return refused
	case time.Since(checked) < checkEvery:
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.api.ListTasks(bounded, &ecs.ListTasksInput{Cluster: &c.cfg.Cluster, MaxResults: new(int32(1))})
	if err != nil && classifyError(err) != Throttled {
		return &Fault{classifyError(err), err}
	}
	c.answered()
	return nil
}

// sleep waits; false when ctx ended, or would.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
