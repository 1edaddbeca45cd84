// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/cloud/ecs/ecstest"
	"github.com/ccee-dev/ccee/e2e/patience"
)

func testConfig() Config {
	return Config{Cluster: ecstest.Cluster, Container: ecstest.Container, Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"},
		Definitions: map[Tier]string{Small: ecstest.Definitions["small"], Medium: ecstest.Definitions["medium"],
			Large: ecstest.Definitions["large"]},
		Spot: true, Fallback: true, SpotDeadline: time.Minute, LaunchDeadline: time.Minute}
}

// newCluster returns a cluster of a server whose containers run until SIGTERM. It hardly pauses.
func newCluster(t *testing.T, change func(*Config)) (*Cluster, *ecstest.Server) {
	t.Helper()
	s := ecstest.New(t)
	s.Run = func(ctx context.Context, _ map[string]string) int { <-ctx.Done(); return 143 }
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	c, err := New(s.Config(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	c.look = time.Millisecond
	c.pause = func(c Class, n int) (time.Duration, bool) {
		_, again := pauseAtRandom(c, n)
		return time.Millisecond, again
	}
	return c, s
}

func aLaunch(job string) Launch {
	return Launch{Job: job, Number: 1, Tier: Small, Env: map[string]string{"CCEE_TASK_TOKEN": "t", "CCEE_TASK_URL": "u"}}
}

// refuseTimes refuses the first n RunTasks for Spot, and of all.
func refuseTimes(spot, all int64, r ecstest.Refusal) func(string, bool) *ecstest.Refusal {
	var spots, calls atomic.Int64
	return func(op string, isSpot bool) *ecstest.Refusal {
		if op != "RunTask" || calls.Add(1) > all && (!isSpot || spots.Add(1) > spot) {
			return nil
		}
		return &r
	}
}

func wantFault(t *testing.T, err error, want Class) {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) || f.Class != want {
		t.Errorf("error %v, want a fault of class %s", err, want)
	}
}

func TestStart(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*Config)
		refuse  func(string, bool) *ecstest.Refusal
		launch  func(*Launch)
		want    Purchase
		calls   int
		refused Class
	}{
		"Spot":               {want: Spot, calls: 1},
		"on demand":          {change: func(c *Config) { c.Spot = false }, want: OnDemand, calls: 1},
		"on demand for once": {launch: func(l *Launch) { l.OnDemand = true }, want: OnDemand, calls: 1},
		"throttled": {refuse: refuseTimes(0, 4, ecstest.Refusal{Code: "ThrottlingException", Message: "Rate exceeded"}),
			want: Spot, calls: 5},
		"quota": {refuse: refuseTimes(0, 2, ecstest.Refusal{Code: "ClientException",
			Message: "You've reached the limit on the number of vCPUs you can run concurrently"}), want: Spot, calls: 3},
		"ECS's own fault": {refuse: refuseTimes(0, 2, ecstest.Refusal{Code: "ServerException"}), want: Spot, calls: 3},
		"no Spot capacity": {refuse: refuseTimes(9, 0, ecstest.Refusal{Code: "ClientException",
			Message: "Capacity is unavailable at this time."}), want: OnDemand, calls: 2},
		"a failure for Spot": {refuse: refuseTimes(9, 0, ecstest.Refusal{Code: "RESOURCE:FARGATE", Failure: true}), want: OnDemand,
			calls: 2},
		"no capacity at all": {refuse: refuseTimes(0, 3, ecstest.Refusal{Code: "RESOURCE:FARGATE", Failure: true}), want: OnDemand,
			calls: 4},
		"Spot without fallback": {change: func(c *Config) { c.Fallback = false }, refuse: refuseTimes(3, 0,
			ecstest.Refusal{Code: "RESOURCE:FARGATE", Failure: true}),
			want: Spot, calls: 4},
		"no permission":  {refuse: refuseTimes(0, 99, ecstest.Refusal{Code: "AccessDeniedException"}), refused: Refused, calls: 1},
		"no such family": {change: func(c *Config) { c.Definitions[Small] = "nope" }, refused: Refused, calls: 1},
		"env too large":  {launch: func(l *Launch) { l.Env["CCEE_TASK_URL"] = strings.Repeat("x", 8192) }, refused: Refused, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newCluster(t, tt.change)
			s.Refuse = tt.refuse
			l := aLaunch("job")
			if tt.launch != nil {
				tt.launch(&l)
			}
			task, err := c.Start(t.Context(), l)
			if s.Calls("RunTask") != tt.calls {
				t.Errorf("%d calls, want %d", s.Calls("RunTask"), tt.calls)
			}
			if tt.refused != "" {
				wantFault(t, err, tt.refused)
				if err := c.Ready(t.Context()); err == nil {
					t.Error("ready after a refusal, want the reason")
				}
				return
			}
			if err != nil || task.Purchase != tt.want || task.Definition != ecstest.Definitions["small"] {
				t.Fatalf("started %+v, %v, want %s", task, err, tt.want)
			}
			if all := s.Tasks(); len(all) != 1 || all[0].StartedBy != "job-job" || all[0].Env["CCEE_TASK_TOKEN"] != "t" ||
				all[0].ARN != task.ARN ||
				(all[0].Provider == "FARGATE_SPOT") != (tt.want == Spot) {
				t.Errorf("tasks %+v", all)
			}
		})
	}
}

// A RunTask whose answer is lost is asked again, and starts one task.
func TestLostAnswer(t *testing.T) {
	c, s := newCluster(t, nil)
	var lost atomic.Int64
	s.Lose = func(op string) bool { return op == "RunTask" && lost.Add(1) <= 3 }
	task, err := c.Start(t.Context(), aLaunch("job"))
	if err != nil || len(s.Tasks()) != 1 || s.Tasks()[0].ARN != task.ARN || s.Calls("RunTask") != 4 {
		t.Errorf("%d tasks after %d calls: %+v, %v", len(s.Tasks()), s.Calls("RunTask"), task, err)
	}
	again, err := c.Start(t.Context(), aLaunch("job")) // another worker with the same launch
	if err != nil || again != task {
		t.Errorf("the same launch = %+v, %v, want the same task", again, err)
	}
	changed := aLaunch("job")
	changed.Env["CCEE_TASK_TOKEN"] = "other"
	_, err = c.Start(t.Context(), changed)
	wantFault(t, err, Conflict)
}

// The end of ctx ends a pause, and not a call.
func TestStartEnds(t *testing.T) {
	c, s := newCluster(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	c.pause = func(Class, int) (time.Duration, bool) { cancel(); return time.Hour, true }
	s.Refuse = refuseTimes(0, 99, ecstest.Refusal{Code: "ThrottlingException"})
	c.cfg.LaunchDeadline = 2 * time.Hour
	_, err := c.Start(ctx, aLaunch("job"))
	wantFault(t, err, Throttled)
	s.Refuse = nil
	if _, err := c.Start(ctx, aLaunch("job")); err != nil || len(s.Tasks()) != 1 {
		t.Errorf("a call under an ended context = %v with %d tasks, want a task that is known", err, len(s.Tasks()))
	}
}

// Spot is left out after three launches without capacity, then tried by one.
func TestHysteresis(t *testing.T) {
	c, s := newCluster(t, nil)
	s.Refuse = refuseTimes(99, 0, ecstest.Refusal{Code: "RESOURCE:FARGATE", Failure: true})
	for i := range 6 {
		if task, err := c.Start(t.Context(), aLaunch(fmt.Sprintf("job-%d", i))); err != nil || task.Purchase != OnDemand {
			t.Fatalf("launch %d: %+v, %v", i, task, err)
		}
	}
	if got := s.Calls("RunTask"); got != 9 {
		t.Errorf("%d calls, want 9: three for Spot, six on demand", got)
	}
	s.Refuse = nil
	c.spot.until = time.Now()
	for i, want := range []Purchase{Spot, OnDemand} {
		if task, err := c.Start(t.Context(), aLaunch(fmt.Sprintf("again-%d", i))); err != nil || task.Purchase != want {
			t.Errorf("launch %d after the rest: %+v, %v, want %s", i, task, err, want)
		}
	}
	c.SpotRuns()
	if task, err := c.Start(t.Context(), aLaunch("more")); err != nil || task.Purchase != Spot {
		t.Errorf("after a Spot task ran: %+v, %v", task, err)
	}
}

// watchFor starts a task and watches it.
func watchFor(t *testing.T, c *Cluster) (Task, <-chan State) {
	t.Helper()
	task, err := c.Start(t.Context(), aLaunch("job"))
	if err != nil {
		t.Fatal(err)
	}
	states, stop := c.Watch(task.ARN)
	t.Cleanup(stop)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Poll(ctx) }()
	t.Cleanup(func() { cancel(); patience.Receive(t, done, "Poll ends") })
	return task, states
}

func awaitPhase(t *testing.T, states <-chan State, want Phase) State {
	t.Helper()
	for {
		if s := patience.Receive(t, states, "the phase "+string(want)); s.Phase == want {
			return s
		}
	}
}

// A task that is not visible yet lives; what stops it shows.
func TestWatch(t *testing.T) {
	for code, interrupted := range map[string]bool{"SpotInterruption": true, "UserInitiated": false, "TerminationNotice": true} {
		c, s := newCluster(t, nil)
		var looks atomic.Int64
		s.Late = func(*ecstest.Task) bool { return looks.Add(1) <= 5 }
		task, states := watchFor(t, c)
		awaitPhase(t, states, Running)
		s.Interrupt(s.Tasks()[0], code)
		got := awaitPhase(t, states, Stopped)
		if got.StopCode != code || got.Interrupted() != interrupted || got.ExitCode == nil || *got.ExitCode != 143 {
			t.Errorf("%s: %+v", code, got)
		}
		if err := c.Stop(t.Context(), task.ARN, "again"); err != nil {
			t.Errorf("stop a stopped task: %v", err)
		}
	}
}

func TestStop(t *testing.T) {
	c, s := newCluster(t, nil)
	task, states := watchFor(t, c)
	var refusals atomic.Int64
	s.Refuse = func(op string, _ bool) *ecstest.Refusal {
		if op != "StopTask" || refusals.Add(1) > 2 {
			return nil
		}
		return &ecstest.Refusal{Code: "ThrottlingException"}
	}
	if err := c.Stop(t.Context(), task.ARN, "cancelled"); err != nil {
		t.Fatal(err)
	}
	if got := awaitPhase(t, states, Stopped); got.StopCode != "UserInitiated" {
		t.Errorf("%+v", got)
	}
	if err := c.Stop(t.Context(), task.ARN+"0", "unknown"); err != nil {
		t.Errorf("stop an unknown task: %v", err)
	}
}

// What ECS doesn't know for long is gone.
func TestMissing(t *testing.T) {
	c, s := newCluster(t, nil)
	s.Late = func(*ecstest.Task) bool { return true }
	task, states := watchFor(t, c)
	c.mu.Lock()
	c.watches[task.ARN].began = time.Now().Add(-missingGrace)
	c.mu.Unlock()
	awaitPhase(t, states, Stopped)
}

type offers map[string]string

func (o offers) Live(context.Context) (map[string]string, error) { return o, nil }
func (o offers) Lead(_ context.Context, holder string, _ time.Duration) (bool, error) {
	return holder == "leader", nil
}

func TestReap(t *testing.T) {
	c, s := newCluster(t, nil)
	live := offers{}
	for i := range 150 { // more than a page
		id := fmt.Sprintf("job-%d", i)
		task, err := c.Start(t.Context(), aLaunch(id))
		if err != nil {
			t.Fatal(err)
		}
		if i%50 != 0 {
			live[id] = task.ARN
		}
	}
	now, orphans := time.Now(), map[string]time.Time{}
	for _, pass := range []struct {
		holder string
		after  time.Duration
		left   int
	}{{"leader", 0, 150}, {"other", time.Hour, 150}, {"leader", time.Hour, 150}, {"leader", time.Hour + reapGrace, 147}} {
		if err := c.reap(t.Context(), live, pass.holder, orphans, now.Add(pass.after)); err != nil {
			t.Fatal(err)
		}
		patience.Until(t, "tasks end", func() (bool, string) { return s.Running() == pass.left, fmt.Sprint(s.Running()) })
	}
}
