// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/cloud/ecs"
	"github.com/ccee-dev/ccee/cloud/ecs/ecstest"
	"github.com/ccee-dev/ccee/e2e/ecsedge"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/handoff"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// drillJobs is how many jobs the drill has, and drillSeed what its faults are rolled from.
const (
	drillJobs = 500
	drillSeed = 1
)

// drillFaults are far more than AWS has. A Spot task fails so often that the worker leaves Spot out for a while, again and again.
var drillFaults = ecsedge.Faults{
	Seed: drillSeed, Throttle: .05, LoseAnswer: .05, NoCapacity: .1, Stuck: .03, FailStart: .02, Interrupt: .15, Kill: .03,
	InterruptBy: 20 * time.Millisecond,
}

// TestECSDrill runs 500 jobs while ECS throttles, loses answers, has no capacity, leaves tasks in PROVISIONING, interrupts and kills them:
// each job ends once, and in the end no task is left. The edge is held to AWS's own model of its API.
func TestECSDrill(t *testing.T) {
	model, err := ecsedge.OpenModel("ecs")
	if err != nil {
		t.Skipf("%v: pip install botocore", err)
	}
	q := open(t, redistest.New(t), queue.Options{RetryBackoff: time.Millisecond, RetryMaxDelay: time.Millisecond, AuditMax: 20 * drillJobs})
	store, err := handoff.New(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	edge, tasks := drillCluster(t, model, store)
	limits := patient
	limits.Spot = 2 * time.Second
	backend := NewECS(tasks, store, ECSOptions{URL: "https://api", Languages: []job.Language{{Name: "python"}}, Limits: limits})
	stop := startWorker(t, q, backend, Options{Concurrency: 32, Log: zerolog.Nop()})

	var all []string
	for range drillJobs {
		all = append(all, enqueue(t, q))
	}
	ended := map[queue.State]int{}
	for _, id := range all {
		r, err := q.Wait(patience.Context(t), tenant, id)
		if err != nil {
			t.Fatalf("job %s: %v", id, err)
		}
		ended[r.Status]++
		if r.Status != queue.Succeeded {
			continue
		}
		if out := string(r.Result.Steps[0].Stdout.Data); out != "source of "+id || r.CostModelVersion == "" || r.Dispatch.TaskARN == "" {
			t.Errorf("job %s ended with %+v", id, r)
		}
	}
	t.Logf("%v after %d tasks", ended, len(edge.Tasks()))
	if n := len(edge.Tasks()); n < drillJobs+drillJobs/20 {
		t.Errorf("%d tasks: hardly any was lost", n)
	}
	// A job whose tasks die three times is dead-lettered, and that is rare.
	if ended[queue.Succeeded] < drillJobs*98/100 || ended[queue.Succeeded]+ended[queue.Failed] != drillJobs {
		t.Errorf("%d jobs ended as %v", drillJobs, ended)
	}
	wantOneEndEach(t, q)
	wantNoneActive(t, q)
	stop()
	wantNoTasks(t, edge, store)
	for _, v := range edge.Violations() {
		t.Errorf("not as AWS's model has it: %s", v)
	}
}

// drillCluster is an ECS with faults, whose tasks are functions that use the store as the api does for them.
func drillCluster(t *testing.T, model *ecsedge.Model, store *handoff.Store) (*ecsedge.Edge, *ecs.Cluster) {
	t.Helper()
	cfg := ecs.Config{Cluster: ecstest.Cluster, Container: ecstest.Container, Definitions: map[ecs.Tier]string{}, Subnets: []string{"s"},
		SecurityGroups: []string{"g"}, Spot: true, Fallback: true, SpotDeadline: 2 * time.Second, LaunchDeadline: time.Hour}
	o := ecsedge.Options{Model: model, Clusters: []string{ecstest.Cluster}, Definitions: map[string]ecsedge.Definition{},
		Faults: drillFaults, CallRate: 200, LaunchRate: 200, StopWithin: time.Second, Visible: time.Millisecond}
	for tier, arn := range ecstest.Definitions {
		cfg.Definitions[ecs.Tier(tier)] = arn
		o.Definitions["runner-"+tier] = ecsedge.Definition{Arn: arn, NetworkMode: "awsvpc", CPU: "256", Memory: "512",
			Compatible: []string{"FARGATE"}, Containers: []ecsedge.Container{{Name: ecstest.Container, Image: "runner"}}}
	}
	var nonces atomic.Int64
	o.Start = func(l ecsedge.Launch) (ecsedge.Process, error) {
		ctx, stop := context.WithCancel(context.Background())
		p := &drillTask{stop: stop, killed: make(chan struct{}), exit: make(chan int, 2)}
		nonce := fmt.Sprintf("0123456789abcdef-%d", nonces.Add(1))
		me := inTask{ctx, store, handoff.Token(l.Env["CCEE_TASK_TOKEN"]), nonce}
		go func() { p.exit <- p.run(me) }()
		return p, nil
	}
	edge := ecsedge.New(o)
	srv := httptest.NewServer(edge)
	t.Cleanup(func() { edge.Close(); srv.Close() })
	aws := ecstest.New(t).Config() // for its credentials
	aws.BaseEndpoint, aws.HTTPClient = &srv.URL, srv.Client()
	cluster, err := ecs.New(aws, cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	polling, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); cluster.Poll(polling) }()
	t.Cleanup(func() { cancel(); patience.Receive(t, done, "Poll ends") })
	return edge, cluster
}

// drillTask is a task's process.
type drillTask struct {
	stop   context.CancelFunc
	killed chan struct{}
	exit   chan int
}

func (p *drillTask) Wait() int { return <-p.exit }

func (p *drillTask) Signal(s os.Signal) error {
	if s == syscall.SIGKILL {
		close(p.killed)
		p.exit <- 137
	}
	p.stop()
	return nil
}

// run is what ccee task does: it takes its job, works for a while, and says so when it is interrupted.
func (p *drillTask) run(me inTask) int {
	spec, err := me.take()
	if err != nil {
		return 1
	}
	work := time.NewTimer(10 * time.Millisecond)
	defer work.Stop()
	select {
	case <-p.killed:
		return 137
	case <-me.ctx.Done():
		_, _ = me.report(job.Report{Interrupted: true})
		return 143
	case <-work.C:
	}
	res := good(spec)
	if _, err := me.report(job.Report{Result: &res}); err != nil {
		return 1
	}
	return 0
}

// wantOneEndEach checks that the audit has one end of each job.
func wantOneEndEach(t *testing.T, q *queue.Queue) {
	t.Helper()
	ends := map[string]int{}
	events, err := q.Events(t.Context(), tenant, "", 20*drillJobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		switch e.Action {
		case "job_succeeded", "job_failed", "job_cancelled", "job_timeout":
			ends[e.JobID]++
		}
	}
	if len(ends) != drillJobs {
		t.Errorf("the audit has the ends of %d jobs, want %d", len(ends), drillJobs)
	}
	for id, n := range ends {
		if n != 1 {
			t.Errorf("job %s ended %d times", id, n)
		}
	}
}

// wantNoTasks: no task is left that nobody waits for. A task whose start nobody learnt of may have to be reaped.
func wantNoTasks(t *testing.T, edge *ecsedge.Edge, store *handoff.Store) {
	t.Helper()
	if live, err := store.Live(t.Context()); err != nil || len(live) > 0 {
		t.Errorf("jobs offered in the end: %v, %v", live, err)
	}
	patience.Until(t, "all tasks stop", func() (bool, string) {
		var left strings.Builder
		for _, task := range edge.Tasks() {
			if status, code := task.Status(); status != "STOPPED" {
				left.WriteString(" " + task.ID + " " + status + " " + code)
			}
		}
		return left.String() == "", left.String()
	})
}
