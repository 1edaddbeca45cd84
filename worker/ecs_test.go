// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/cloud/ecs"
	"github.com/ccee-dev/ccee/cloud/ecs/ecstest"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/handoff"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// The process that runs in a task is tested by package e2e. Here a task is a function that uses the store as the api does for it.

// cloud is a worker whose jobs run in tasks of a fake ECS.
type cloud struct {
	t     *testing.T
	queue *queue.Queue
	store *handoff.Store
	aws   *ecstest.Server
	tasks *ecs.Cluster
}

func newCloud(t *testing.T, limits ECSLimits, run func(c *cloud, me inTask) int) *cloud {
	t.Helper()
	q := open(t, redistest.New(t), queue.Options{RetryBackoff: time.Millisecond, RetryMaxDelay: time.Millisecond})
	store, err := handoff.New(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	c := &cloud{t: t, queue: q, store: store, aws: ecstest.New(t)}
	var nonces atomic.Int64
	c.aws.Run = func(ctx context.Context, env map[string]string) int {
		return run(c, inTask{ctx, store, handoff.Token(env["CCEE_TASK_TOKEN"]), fmt.Sprintf("0123456789abcdef-%d", nonces.Add(1))})
	}
	definitions := map[ecs.Tier]string{}
	for tier, arn := range ecstest.Definitions {
		definitions[ecs.Tier(tier)] = arn
	}
	c.tasks, err = ecs.New(c.aws.Config(), ecs.Config{Cluster: ecstest.Cluster, Container: ecstest.Container, Definitions: definitions,
		Subnets: []string{"s"}, SecurityGroups: []string{"g"}, Spot: true, Fallback: true, SpotDeadline: limits.Spot,
		LaunchDeadline: limits.OnDemand}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	polling, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.tasks.Poll(polling) }()
	t.Cleanup(func() { cancel(); patience.Receive(t, done, "Poll ends") })
	return c
}

func (c *cloud) start(limits ECSLimits) (stop func()) {
	return startWorker(c.t, c.queue, NewECS(c.tasks, c.store, ECSOptions{URL: "https://api",
		Languages: []job.Language{{Name: "python"}}, Limits: limits}), Options{})
}

// patient are limits that no test reaches.
var patient = ECSLimits{Spot: time.Hour, OnDemand: time.Hour, FirstCall: time.Hour, Silence: time.Hour}

// inTask is what a task knows.
type inTask struct {
	ctx   context.Context // ends at SIGTERM
	store *handoff.Store
	token handoff.Token
	nonce string
}

func (me inTask) take() (job.Spec, error) {
	b, err := me.store.Take(context.WithoutCancel(me.ctx), me.token, me.nonce)
	var spec job.Spec
	if err == nil {
		err = json.Unmarshal(b, &spec)
	}
	return spec, err
}

func (me inTask) report(r job.Report) (cancelled bool, err error) {
	return me.store.Report(context.WithoutCancel(me.ctx), me.token, me.nonce, r)
}

// finish runs the job to a good end.
func (me inTask) finish(events ...job.Event) int {
	spec, err := me.take()
	if err != nil {
		return 1
	}
	if len(events) > 0 {
		if _, err := me.report(job.Report{Events: events}); err != nil {
			return 1
		}
	}
	res := good(spec)
	if _, err := me.report(job.Report{Result: &res}); err != nil {
		return 1
	}
	return 0
}

func TestECSRuns(t *testing.T) {
	c := newCloud(t, patient, func(_ *cloud, me inTask) int { return me.finish(job.Event{Type: job.EventStarted, Step: "run"}) })
	c.start(patient)
	id := enqueue(t, c.queue)
	r := wantEnd(t, c.queue, id, queue.Succeeded)
	task := c.aws.Tasks()[0]
	if r.Dispatch != (job.Dispatch{TaskARN: task.ARN, TaskDefinitionARN: ecstest.Definitions["small"], ComputeTier: "small",
		PurchaseOption: "spot"}) {
		t.Errorf("dispatch %+v", r.Dispatch)
	}
	if r.CostModelVersion != "fargate-tiered-v2" || string(r.Result.Steps[0].Stdout.Data) != "source of "+id {
		t.Errorf("record %+v", r)
	}
	if len(c.aws.Tasks()) != 1 || task.StartedBy != "job-"+id || len(task.Env) != 2 || task.Env["CCEE_TASK_URL"] != "https://api" {
		t.Errorf("tasks %+v", c.aws.Tasks())
	}
	for _, v := range task.Env {
		if strings.Contains(v, "source") {
			t.Error("the job is in the override")
		}
	}
	patience.Receive(t, task.Ended(), "the task ends")
	if live, err := c.store.Live(t.Context()); err != nil || len(live) > 0 {
		t.Errorf("live after the end: %v, %v", live, err)
	}
	if _, err := c.store.Take(t.Context(), handoff.Token(task.Env["CCEE_TASK_TOKEN"]), "0123456789abcdef"); err == nil {
		t.Error("the token works after the end")
	}
	wantAudit(t, c.queue, "job_submitted", "job_running", "job_dispatched", "job_succeeded")
}

// wantAudit checks the actions in the audit of the tests' tenant.
func wantAudit(t *testing.T, q *queue.Queue, want ...string) {
	t.Helper()
	events, err := q.Events(t.Context(), tenant, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := len(events) - 1; i >= 0; i-- {
		got = append(got, events[i].Action)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("audit %v, want %v", got, want)
	}
}

// What AWS takes away runs elsewhere, and loses no attempt: whether the task still says so or not.
func TestECSInterrupted(t *testing.T) {
	for name, says := range map[string]bool{"it says so": true, "it is killed": false} {
		t.Run(name, func(t *testing.T) {
			var tasks atomic.Int64
			c := newCloud(t, patient, func(c *cloud, me inTask) int {
				if tasks.Add(1) > 2 {
					return me.finish()
				}
				if _, err := me.take(); err != nil {
					return 1
				}
				all := c.aws.Tasks()
				c.aws.Interrupt(all[len(all)-1], "SpotInterruption")
				<-me.ctx.Done()
				if says {
					_, _ = me.report(job.Report{Interrupted: true})
				}
				return 143
			})
			c.start(patient)
			r := wantEnd(t, c.queue, enqueue(t, c.queue), queue.Succeeded)
			if r.AttemptsMade != 1 || len(c.aws.Tasks()) != 3 {
				t.Errorf("%d attempts in %d tasks, want 1 in 3", r.AttemptsMade, len(c.aws.Tasks()))
			}
		})
	}
}

// A Spot task that stays in PROVISIONING is stopped, and the job runs on demand; if the first one starts late all the same, its token
// is void.
func TestECSStuck(t *testing.T) {
	limits := patient
	limits.Spot = 50 * time.Millisecond
	c := newCloud(t, patient, func(_ *cloud, me inTask) int { return me.finish() })
	c.aws.Stuck = func(task *ecstest.Task) bool { return task.Provider == "FARGATE_SPOT" }
	c.start(limits)
	r := wantEnd(t, c.queue, enqueue(t, c.queue), queue.Succeeded)
	all := c.aws.Tasks()
	if r.AttemptsMade != 1 || r.Dispatch.PurchaseOption != "on-demand" || len(all) != 2 {
		t.Fatalf("%d attempts, %+v, %d tasks; want 1, on-demand, 2", r.AttemptsMade, r.Dispatch, len(all))
	}
	patience.Receive(t, all[0].Ended(), "the stuck task is stopped")
	if c.aws.StopCode(all[0]) != "UserInitiated" {
		t.Errorf("stop code %s", c.aws.StopCode(all[0]))
	}
	if _, err := c.store.Take(t.Context(), handoff.Token(all[0].Env["CCEE_TASK_TOKEN"]), "0123456789abcdef"); err == nil {
		t.Error("the stuck task's token works")
	}
}

// A task that breaks, or goes silent, while it has the job costs an attempt; one that never asks for it doesn't.
func TestECSBreaks(t *testing.T) {
	for name, tt := range map[string]struct {
		limits   ECSLimits
		run      func(inTask) int
		attempts int
	}{
		"it breaks": {patient, func(me inTask) int { _, _ = me.take(); return 137 }, 2},
		"it goes silent": {ECSLimits{time.Hour, time.Hour, time.Hour, 50 * time.Millisecond},
			func(me inTask) int { _, _ = me.take(); <-me.ctx.Done(); return 143 }, 2},
		"it never asks": {ECSLimits{time.Hour, time.Hour, 50 * time.Millisecond, time.Hour},
			func(me inTask) int { <-me.ctx.Done(); return 143 }, 1},
		"its daemon fails": {patient, func(me inTask) int {
			_, _ = me.take()
			_, _ = me.report(job.Report{Error: job.Errorf(job.EUnavailable, "no images")})
			return 0
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var tasks atomic.Int64
			c := newCloud(t, patient, func(_ *cloud, me inTask) int {
				if tasks.Add(1) > 1 {
					return me.finish()
				}
				return tt.run(me)
			})
			c.start(tt.limits)
			r := wantEnd(t, c.queue, enqueue(t, c.queue), queue.Succeeded)
			if r.AttemptsMade != tt.attempts {
				t.Errorf("%d attempts, want %d", r.AttemptsMade, tt.attempts)
			}
			patience.Receive(t, c.aws.Tasks()[0].Ended(), "the first task is stopped")
		})
	}
}

// A tenant who cancels gets what the job wrote; a task that doesn't listen is stopped.
func TestECSCancel(t *testing.T) {
	for name, listens := range map[string]bool{"it listens": true, "it doesn't": false} {
		t.Run(name, func(t *testing.T) {
			began := make(chan struct{})
			c := newCloud(t, patient, func(_ *cloud, me inTask) int {
				if _, err := me.take(); err != nil {
					return 1
				}
				close(began)
				for listens && me.ctx.Err() == nil {
					cancelled, err := me.report(job.Report{})
					if err != nil {
						return 1
					}
					if cancelled {
						res := job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled, WallMs: 42}
						_, _ = me.report(job.Report{Result: &res})
						return 0
					}
				}
				<-me.ctx.Done()
				return 143
			})
			c.start(patient)
			id := enqueue(t, c.queue)
			patience.Receive(t, began, "the task takes the job")
			patience.Until(t, "the worker knows that", func() (bool, string) {
				r, err := c.queue.Get(t.Context(), tenant, id)
				return err == nil && r.Shown() == queue.Dispatched, fmt.Sprint(r.Shown(), err)
			})
			if _, err := c.queue.Cancel(t.Context(), tenant, id); err != nil {
				t.Fatal(err)
			}
			r := wantEnd(t, c.queue, id, queue.Cancelled)
			if listens && (r.Result == nil || r.Result.WallMs != 42) {
				t.Errorf("result %+v, want the task's", r.Result)
			}
			patience.Receive(t, c.aws.Tasks()[0].Ended(), "the task ends")
		})
	}
}

// A job that fits no task is refused with the reason, and starts none.
func TestECSTooLarge(t *testing.T) {
	c := newCloud(t, patient, func(_ *cloud, me inTask) int { return me.finish() })
	b := NewECS(c.tasks, c.store, ECSOptions{})
	for _, l := range []job.Limits{{MemoryBytes: 2048 * job.MiB}, {CPUMillicores: 2000}} {
		_, err := b.Run(t.Context(), job.Spec{ID: "x", Language: "python", Source: "x", Run: l}, func(job.Event) {})
		if job.ErrorCode(err) != job.EInvalid || !strings.Contains(err.Error(), "an ECS task has at most 1024 and 1920") {
			t.Errorf("%+v: %v, want a refusal with the reason", l, err)
		}
	}
	if len(c.aws.Tasks()) > 0 {
		t.Error("a task was started")
	}
}

// While ECS refuses, no job is claimed, and none loses an attempt.
func TestECSRefuses(t *testing.T) {
	c := newCloud(t, patient, func(_ *cloud, me inTask) int { return me.finish() })
	var refuse atomic.Bool
	refuse.Store(true)
	c.aws.Refuse = func(op string, _ bool) *ecstest.Refusal {
		if op == "ListTasks" && refuse.Load() {
			return &ecstest.Refusal{Code: "AccessDeniedException", Message: "not authorized"}
		}
		return nil
	}
	b := NewECS(c.tasks, c.store, ECSOptions{})
	if _, err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "not authorized") {
		t.Errorf("Ready = %v, want the reason", err)
	}
	refuse.Store(false)
	if _, err := b.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
