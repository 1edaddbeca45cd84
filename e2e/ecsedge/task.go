// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Launch is what a task's container is started with.
type Launch struct {
	Task      *Task
	Container Container
	Command   []string          // of the definition, or of the override
	Env       map[string]string // likewise, with the addresses of the agent
}

// Process is a task's container.
type Process interface {
	Signal(os.Signal) error
	Wait() (exit int) // returns when it has ended
}

// Task is one task. What doesn't change is exported.
type Task struct {
	Arn, ID, Cluster, Provider, StartedBy, Group string
	Definition                                   Definition
	RawOverrides                                 []byte

	e        *Edge
	launch   Launch
	created  time.Time
	stop     chan struct{} // closed when it shall end
	done     chan struct{} // closed when it is STOPPED
	dead     chan struct{} // closed by kill
	stopOnce sync.Once
	deadOnce sync.Once

	mu        sync.Mutex
	status    string
	desired   string
	code      string // why it stopped, of TaskStopCode
	reason    string
	exit      *int
	version   int64
	times     map[string]time.Time
	protected time.Time // until when
	fetched   []string  // of the agent's endpoints
}

// Done is closed when the task is STOPPED.
func (t *Task) Done() <-chan struct{} { return t.done }

// Status is its last status, and its stop code if it has stopped.
func (t *Task) Status() (status, code string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status, t.code
}

// Protected reports whether scale-in protection is on.
func (t *Task) Protected() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.protected)
}

// Fetched lists the paths of the agent that the task asked for.
func (t *Task) Fetched() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.fetched)
}

// Interrupt does what AWS does to a task on Spot: SIGTERM, and SIGKILL after the stop timeout.
func (t *Task) Interrupt() { t.end("SpotInterruption", "Your Spot Task was interrupted.") }

// Kill ends the task without a warning, as a host that dies.
func (t *Task) Kill() {
	t.end("EssentialContainerExited", "Essential container in task exited")
	t.kill()
}

func (t *Task) kill() {
	t.end("UserInitiated", "the edge closes")
	t.deadOnce.Do(func() { close(t.dead) })
}

// end has the task stopped for that reason, unless it has one already.
func (t *Task) end(code, reason string) {
	t.stopOnce.Do(func() {
		t.mu.Lock()
		t.desired, t.code, t.reason = "STOPPED", code, reason
		t.version++
		t.times["stoppingAt"] = time.Now()
		t.mu.Unlock()
		close(t.stop)
	})
}

func (e *Edge) launch(in *runRequest, body, cluster string, def Definition, o overrides, provider string) (out []*Task) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for range in.count() {
		t := &Task{
			ID: newID(), Cluster: cluster, Provider: provider, StartedBy: in.StartedBy, Group: in.Group,
			Definition: def, RawOverrides: in.Overrides,
			e: e, created: time.Now(), stop: make(chan struct{}), done: make(chan struct{}), dead: make(chan struct{}),
			status: "PROVISIONING", desired: "RUNNING", version: 1, times: map[string]time.Time{},
		}
		t.Arn = fmt.Sprintf("arn:aws:ecs:%s:%s:task/%s/%s", region, account, cluster, t.ID)
		if t.Group == "" {
			t.Group = "family:" + def.Family
		}
		t.launch = e.launchOf(t, o)
		e.tasks[t.Arn] = t
		e.order = append(e.order, t)
		out = append(out, t)
		e.ended.Go(t.live)
	}
	if in.ClientToken != "" {
		e.tokens[in.ClientToken] = launched{body, out}
	}
	return out
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// launchOf has the first container alone: a task of ours has one.
func (e *Edge) launchOf(t *Task, o overrides) Launch {
	c := t.Definition.Containers[0]
	l := Launch{Task: t, Container: c, Command: c.Command, Env: map[string]string{}}
	for _, p := range c.Environment {
		l.Env[p.Name] = p.Value
	}
	for _, over := range o.Containers {
		if over.Name != c.Name {
			continue
		}
		if over.Command != nil {
			l.Command = over.Command
		}
		for _, p := range over.Environment {
			l.Env[p.Name] = p.Value
		}
	}
	maps.Copy(l.Env, e.agentOf(t))
	return l
}

// live takes the task up the ladder and down again. See "Task lifecycle" in the developer guide of Amazon ECS.
func (t *Task) live() {
	defer close(t.done)
	t.up()
	for _, s := range []string{"DEACTIVATING", "STOPPING", "DEPROVISIONING"} {
		if t.ran() || s == "DEPROVISIONING" {
			t.enter(s)
			t.rest(t.dead)
		}
	}
	t.enter("STOPPED")
}

// up ends when the task's container has ended, or can't be started.
func (t *Task) up() {
	f := &t.e.o.Faults
	if t.Provider == "FARGATE_SPOT" && t.e.dice.roll(f.Stuck) {
		<-t.stop
	}
	if !t.rest(t.stop) {
		return
	}
	t.enter("PENDING")
	if !t.rest(t.stop) {
		return
	}
	if t.e.dice.roll(f.FailStart) {
		t.end("TaskFailedToStart", "CannotPullContainerError: the edge was asked to fail")
		return
	}
	p, err := t.e.o.Start(t.launch)
	if err != nil {
		t.end("TaskFailedToStart", "CannotStartContainerError: "+err.Error())
		return
	}
	t.enter("RUNNING")
	t.follow(p)
}

// follow waits for the end of the container, and ends it when the task shall stop.
func (t *Task) follow(p Process) {
	exited := make(chan int, 1)
	go func() { exited <- p.Wait() }()
	defer t.accidents()()
	select {
	case code := <-exited:
		t.exited(code)
		return
	case <-t.stop:
	}
	_ = p.Signal(syscall.SIGTERM)
	patience := t.e.o.StopWithin
	if s := t.launch.Container.StopTimeout; s > 0 {
		patience = time.Duration(s) * time.Second
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case code := <-exited:
		t.exited(code)
		return
	case <-timer.C:
	case <-t.dead:
	}
	_ = p.Signal(syscall.SIGKILL)
	t.exited(<-exited)
}

func (t *Task) exited(code int) {
	t.end("EssentialContainerExited", "Essential container in task exited")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exit = &code
	t.times["executionStoppedAt"] = time.Now()
}

// accidents has the task interrupted or killed later, by chance.
func (t *Task) accidents() (cancel func()) {
	f := &t.e.o.Faults
	happen := func() {}
	switch {
	case t.Provider == "FARGATE_SPOT" && t.e.dice.roll(f.Interrupt):
		happen = t.Interrupt
	case t.e.dice.roll(f.Kill):
		happen = t.Kill
	default:
		return happen
	}
	timer := time.AfterFunc(t.e.dice.upTo(f.InterruptBy), happen)
	return func() { timer.Stop() }
}

func (t *Task) ran() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.times["startedAt"].IsZero()
}

// statusTimes are the members of a task that say when it came into a state.
var statusTimes = map[string]string{"PENDING": "createdAt", "RUNNING": "startedAt", "STOPPED": "stoppedAt"}

func (t *Task) enter(status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status = status
	t.version++
	if name := statusTimes[status]; name != "" {
		t.times[name] = time.Now()
	}
}

// rest waits as long as a state lasts, and reports whether it was not cut short.
func (t *Task) rest(cut <-chan struct{}) bool {
	timer := time.NewTimer(t.e.o.Rung)
	defer timer.Stop()
	select {
	case <-cut:
		return false
	default:
	}
	select {
	case <-cut:
		return false
	case <-timer.C:
		return true
	}
}
