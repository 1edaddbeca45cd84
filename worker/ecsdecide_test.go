// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/cloud/ecs"
	"github.com/ccee-dev/ccee/job"
)

func TestECSJudge(t *testing.T) {
	l := ECSLimits{Spot: 120 * time.Second, OnDemand: 300 * time.Second, FirstCall: 60 * time.Second, Silence: 30 * time.Second}
	start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	s := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	stopped := func(code, reason string) ecs.State {
		return ecs.State{Phase: ecs.Stopped, StopCode: code, Reason: reason}
	}
	for name, tt := range map[string]struct {
		v    taskView
		now  int
		want verdict
	}{
		"a Spot task has time":       {taskView{spot: true, reached: start}, 119, ""},
		"a Spot task is stuck":       {taskView{spot: true, reached: start}, 120, noCapacity},
		"an on-demand task has more": {taskView{reached: start}, 299, ""},
		"an on-demand task is stuck": {taskView{reached: start}, 300, noCapacity},
		"it runs":                    {taskView{running: s(10), reached: start}, 69, ""},
		"it never calls":             {taskView{running: s(10), reached: start}, 70, neverCalled},
		"nobody is heard":            {taskView{running: s(10)}, 1000, ""},
		"Redis has just come back":   {taskView{running: s(10), reached: s(990)}, 1000, ""},
		"it calls":                   {taskView{running: s(10), taken: true, silent: 29 * time.Second, reached: start}, 1000, ""},
		"it goes silent":             {taskView{running: s(10), taken: true, silent: 30 * time.Second, reached: start}, 1000, wentSilent},
		"silence in an outage":       {taskView{running: s(10), taken: true, silent: 500 * time.Second, reached: s(971)}, 1000, ""},
		"Spot takes it":              {taskView{taken: true, state: stopped("SpotInterruption", ""), reached: start}, 1, interrupted},
		"the machine is ill":         {taskView{taken: true, state: stopped("InfrastructureHealth", ""), reached: start}, 1, interrupted},
		"no capacity after all": {taskView{state: stopped("TaskFailedToStart",
			"Capacity is unavailable at this time. Please try again later"), reached: start}, 1, noCapacity},
		"no image": {taskView{state: stopped("TaskFailedToStart", "CannotPullContainerError: x"), reached: start},
			1, notStarted},
		"it ends without a result":     {taskView{taken: true, state: stopped("EssentialContainerExited", ""), reached: start}, 1, broke},
		"somebody stops it":            {taskView{taken: true, state: stopped("UserInitiated", ""), reached: start}, 1, broke},
		"it ends before it has called": {taskView{state: stopped("EssentialContainerExited", ""), reached: start}, 1, neverCalled},
	} {
		tt.v.launched = start
		if got := l.judge(tt.v, s(tt.now)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestECSNext(t *testing.T) {
	for name, tt := range map[string]struct {
		end             taskEnd
		n               int
		again, onDemand bool
		broken          bool
	}{
		"interrupted":           {taskEnd{why: interrupted}, 1, true, false, false},
		"it says so":            {taskEnd{report: &job.Report{Interrupted: true}}, 1, true, false, false},
		"the last is on demand": {taskEnd{why: interrupted}, mostLaunches - 1, true, true, false},
		"enough":                {taskEnd{why: interrupted}, mostLaunches, false, false, false},
		"Spot has no capacity":  {taskEnd{why: noCapacity, view: taskView{spot: true}}, 1, true, true, false},
		"nor has on-demand":     {taskEnd{why: noCapacity}, 1, false, true, false},
		"never called":          {taskEnd{why: neverCalled}, 1, false, false, false},
		"no image":              {taskEnd{why: notStarted}, 1, false, false, false},
		"silent":                {taskEnd{why: wentSilent}, 1, false, false, true},
		"broke":                 {taskEnd{why: broke}, 1, false, false, true},
	} {
		got := ecsNext(tt.end, tt.n)
		if got.again != tt.again || got.again && got.onDemand != tt.onDemand || errors.Is(got.err, ErrBroken) != tt.broken {
			t.Errorf("%s: %+v", name, got)
		}
		want := release
		if tt.broken {
			want = retry
		}
		if d := decide(job.Result{}, got.err, nil, true); d.action != want {
			t.Errorf("%s: the job is %v, want %v", name, d.action, want)
		}
	}
}

func TestECSTier(t *testing.T) {
	languages := []job.Language{{Name: "python"}, {Name: "java", Compile: []string{"javac"},
		DefaultRun: job.Limits{MemoryBytes: 256 * job.MiB}}}
	for name, tt := range map[string]struct {
		spec job.Spec
		want ecs.Tier
	}{
		"defaults":   {job.Spec{Language: "python"}, ecs.Small},
		"a compiler": {job.Spec{Language: "java"}, ecs.Medium}, // 512 MiB to compile
		"CPU":        {job.Spec{Language: "python", Run: job.Limits{CPUMillicores: 300}}, ecs.Medium},
		"memory":     {job.Spec{Language: "python", Run: job.Limits{MemoryBytes: 1024 * job.MiB}}, ecs.Large},
		"memory of test": {job.Spec{Language: "python",
			Tests: &job.Tests{List: []job.Test{{Run: job.Limits{MemoryBytes: 1024 * job.MiB}}}}}, ecs.Large},
	} {
		if got, err := ecsTier(&tt.spec, languages); got != tt.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", name, got, err, tt.want)
		}
	}
}

// The contract's section 6: vCPU and GB of the tier, 0.3 for Spot; others are billed by their limits.
func TestTaskCost(t *testing.T) {
	for _, tt := range []struct {
		d    job.Dispatch
		ms   int64
		want float64
	}{
		{job.Dispatch{ComputeTier: "small", PurchaseOption: "on-demand"}, 3_600_000, 0.0123425}, // 0.25 * 0.04048 + 0.5 * 0.004445
		{job.Dispatch{ComputeTier: "small", PurchaseOption: "spot"}, 3_600_000, 0.00370275},
		{job.Dispatch{ComputeTier: "large", PurchaseOption: "on-demand"}, 3_600_000, 0.04937},
		{job.Dispatch{ComputeTier: "medium", PurchaseOption: "spot"}, 0, 0},
	} {
		if got, known := taskCost(tt.d, tt.ms); !known || got != tt.want {
			t.Errorf("cost of %+v for %d ms = %v, %v, want %v", tt.d, tt.ms, got, known, tt.want)
		}
	}
	if _, known := taskCost(job.Dispatch{}, 1000); known {
		t.Error("a job in no task has a task's cost")
	}
}
