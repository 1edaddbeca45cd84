// SPDX-License-Identifier: Apache-2.0

package ecstest

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

type keyValue struct{ Name, Value string }

type runTaskInput struct {
	CapacityProviderStrategy []struct {
		CapacityProvider string
		Weight, Base     int
	}
	ClientToken, Cluster, Group, LaunchType, PlatformVersion, PropagateTags, ReferenceID, StartedBy, TaskDefinition string
	Count                                                                                                           *int
	EnableECSManagedTags, EnableExecuteCommand                                                                      bool
	NetworkConfiguration                                                                                            *struct {
		AwsvpcConfiguration *struct {
			Subnets, SecurityGroups []string
			AssignPublicIP          string
		}
	}
	Overrides json.RawMessage
	Tags      []struct{ Key, Value string }
}

type overrides struct {
	ContainerOverrides []struct {
		Name        string
		Environment []keyValue
		Command     []string
	}
}

var (
	printable = regexp.MustCompile(`^[!-~]{0,64}$`)           // RunTask, clientToken
	starter   = regexp.MustCompile(`^[A-Za-z0-9/_-]{0,128}$`) // RunTask, startedBy
)

// check holds a RunTask to AWS's rules, and returns the override's environment.
func (in *runTaskInput) check() (map[string]string, *Refusal) {
	switch {
	case in.Cluster != Cluster:
		return nil, &Refusal{Code: "ClusterNotFoundException", Message: "Cluster not found."}
	case !slices.Contains(slices.Collect(maps.Values(Definitions)), in.TaskDefinition):
		return nil, client("TaskDefinition not found.")
	case in.Count != nil && (*in.Count < 1 || *in.Count > 10):
		return nil, invalid("Count should be at least 1 and at most 10.")
	case !printable.MatchString(in.ClientToken):
		return nil, invalid("clientToken is invalid.")
	case !starter.MatchString(in.StartedBy):
		return nil, invalid("startedBy is invalid.")
	case in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0:
		return nil, invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case in.LaunchType != "" && in.LaunchType != "FARGATE":
		return nil, invalid("launchType is invalid.")
	case len(in.CapacityProviderStrategy) > 20:
		return nil, invalid("Too many capacity providers.")
	case in.NetworkConfiguration == nil || in.NetworkConfiguration.AwsvpcConfiguration == nil ||
		len(in.NetworkConfiguration.AwsvpcConfiguration.Subnets) == 0:
		return nil, invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case len(in.Overrides) > 8192:
		return nil, invalid("Container Overrides length must be at most 8192")
	}
	for _, item := range in.CapacityProviderStrategy {
		if item.CapacityProvider != "FARGATE" && item.CapacityProvider != "FARGATE_SPOT" || item.Weight > 1000 {
			return nil, invalid("The specified capacity provider %q was not found.", item.CapacityProvider)
		}
	}
	var o overrides
	if len(in.Overrides) > 0 {
		if refused := decode(in.Overrides, &o); refused != nil {
			return nil, refused
		}
	}
	env := map[string]string{}
	for _, c := range o.ContainerOverrides {
		if c.Name != Container {
			return nil, invalid("Override for container named %s is not a container in the TaskDefinition.", c.Name)
		}
		for _, kv := range c.Environment {
			env[kv.Name] = kv.Value
		}
	}
	return env, nil
}

func (s *Server) runTask(body []byte) (any, *Refusal) {
	var in runTaskInput
	if refused := decode(body, &in); refused != nil {
		return nil, refused
	}
	env, refused := in.check()
	if refused != nil {
		return nil, refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, used := s.tokens[in.ClientToken]
	if used = used && in.ClientToken != ""; used && before.request != string(body) {
		return nil, &Refusal{Code: "ConflictException",
			Message: "The provided clientToken is already in use with a different RunTask request."}
	}
	if !used {
		before = launch{request: string(body)}
		n := 1
		if in.Count != nil {
			n = *in.Count
		}
		for range n {
			before.tasks = append(before.tasks, s.start(&in, env))
		}
		s.tokens[in.ClientToken] = before
	}
	tasks := []any{}
	for _, t := range before.tasks {
		tasks = append(tasks, t.json())
	}
	return map[string]any{"tasks": tasks, "failures": []any{}}, nil
}

func (s *Server) describeTasks(body []byte) (any, *Refusal) {
	var in struct {
		Cluster        string
		Tasks, Include []string
	}
	if refused := decode(body, &in); refused != nil {
		return nil, refused
	}
	switch {
	case in.Cluster != Cluster:
		return nil, &Refusal{Code: "ClusterNotFoundException", Message: "Cluster not found."}
	case len(in.Tasks) == 0:
		return nil, invalid("Tasks cannot be empty.")
	case len(in.Tasks) > 100:
		return nil, invalid("Tasks cannot have more than 100 elements.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tasks, failures := []any{}, []any{}
	for _, arn := range in.Tasks {
		if t := s.find(arn); t != nil && (s.Late == nil || !s.Late(t)) {
			tasks = append(tasks, t.json())
		} else {
			failures = append(failures, map[string]string{"arn": arn, "reason": "MISSING"})
		}
	}
	return map[string]any{"tasks": tasks, "failures": failures}, nil
}

// find returns the task of that ARN, nil if there is none; s.mu is held.
func (s *Server) find(arn string) *Task {
	for _, t := range s.tasks {
		if t.ARN == arn {
			return t
		}
	}
	return nil
}

func (s *Server) stopTask(body []byte) (any, *Refusal) {
	var in struct{ Cluster, Task, Reason string }
	if refused := decode(body, &in); refused != nil {
		return nil, refused
	}
	if len(in.Reason) > 1024 {
		return nil, invalid("reason is too long.")
	}
	s.mu.Lock()
	t := s.find(in.Task)
	s.mu.Unlock()
	if in.Cluster != Cluster || t == nil {
		return nil, invalid("The referenced task was not found.")
	}
	s.Interrupt(t, "UserInitiated")
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{"task": t.json()}, nil
}

func (s *Server) listTasks(body []byte) (any, *Refusal) {
	var in struct {
		Cluster, Family, StartedBy, DesiredStatus, NextToken, ServiceName, ContainerInstance, LaunchType string
		MaxResults                                                                                       *int
	}
	if refused := decode(body, &in); refused != nil {
		return nil, refused
	}
	if in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 100) {
		return nil, invalid("maxResults must be between 1 and 100.")
	}
	if in.Cluster != Cluster {
		return nil, &Refusal{Code: "ClusterNotFoundException", Message: "Cluster not found."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	desired := in.DesiredStatus
	if desired == "" {
		desired = "RUNNING"
	}
	arns := []string{}
	for _, t := range s.tasks {
		if t.desired == desired && (in.StartedBy == "" || in.StartedBy == t.StartedBy) && t.ARN > in.NextToken {
			arns = append(arns, t.ARN)
		}
	}
	answer := map[string]any{}
	most := 100
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	if len(arns) > most {
		arns = arns[:most]
		answer["nextToken"] = arns[most-1]
	}
	answer["taskArns"] = arns
	return answer, nil
}
