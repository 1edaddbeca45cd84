// SPDX-License-Identifier: Apache-2.0

package ecstest

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Task is a task of the server.
type Task struct {
	ARN, Definition, StartedBy, Provider string
	Env                                  map[string]string

	created          time.Time
	last, desired    string // statuses
	stopCode, reason string
	exit             *int
	sigterm          context.CancelFunc
	ended            chan struct{} // closed when it is STOPPED
}

// Tasks returns all tasks that there ever were.
func (s *Server) Tasks() []*Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tasks)
}

// Running counts the tasks that are not stopped.
func (s *Server) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.tasks {
		if t.last != "STOPPED" {
			n++
		}
	}
	return n
}

// StopCode returns why a task stopped, "" while it has not.
func (s *Server) StopCode(t *Task) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.stopCode
}

// Ended is closed when the task is stopped.
func (t *Task) Ended() <-chan struct{} { return t.ended }

// start adds a task; s.mu is held.
func (s *Server) start(in *runTaskInput, env map[string]string) *Task {
	t := &Task{ARN: fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task/test/%032x", len(s.tasks)+1), Definition: in.TaskDefinition,
		StartedBy: in.StartedBy, Provider: "FARGATE", Env: env, created: time.Now(), last: "PROVISIONING", desired: "RUNNING", ended: make(chan struct{})}
	if len(in.CapacityProviderStrategy) > 0 {
		t.Provider = in.CapacityProviderStrategy[0].CapacityProvider
	}
	s.tasks = append(s.tasks, t)
	ctx, cancel := context.WithCancel(context.Background())
	t.sigterm = cancel
	stuck := s.Stuck != nil && s.Stuck(t)
	s.wg.Go(func() { s.live(ctx, t, stuck) })
	return t
}

// live takes a task down the ladder of states.
func (s *Server) live(ctx context.Context, t *Task, stuck bool) {
	code := -1
	if stuck {
		<-ctx.Done()
	}
	if ctx.Err() == nil {
		s.set(t, "RUNNING")
		code = s.Run(ctx, t.Env)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.last, t.desired = "STOPPED", "STOPPED"
	if code >= 0 {
		t.exit = &code
	}
	if t.stopCode == "" {
		t.stopCode, t.reason = "EssentialContainerExited", "Essential container in task exited"
	}
	close(t.ended)
}

func (s *Server) set(t *Task, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.last = status
}

// Interrupt ends a task from outside: its container gets SIGTERM.
func (s *Server) Interrupt(t *Task, stopCode string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.last == "STOPPED" {
		return
	}
	t.desired, t.stopCode, t.reason = "STOPPED", stopCode, "Task stopped"
	if stopCode == "SpotInterruption" {
		t.reason = "Your Spot Task was interrupted."
	}
	t.sigterm()
}

// json is the task as DescribeTasks shows it; s.mu is held.
func (t *Task) json() map[string]any {
	container := map[string]any{"name": Container, "taskArn": t.ARN, "lastStatus": t.last}
	if t.exit != nil {
		container["exitCode"] = *t.exit
	}
	v := map[string]any{
		"taskArn": t.ARN, "taskDefinitionArn": t.Definition, "clusterArn": Cluster, "startedBy": t.StartedBy, "lastStatus": t.last,
		"desiredStatus": t.desired, "capacityProviderName": t.Provider, "createdAt": float64(t.created.UnixMilli()) / 1000,
		"containers": []any{container}, "version": 1,
	}
	if t.stopCode != "" {
		v["stopCode"], v["stoppedReason"] = t.stopCode, t.reason
	}
	return v
}
