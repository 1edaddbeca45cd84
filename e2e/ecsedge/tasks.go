// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	mostDescribed = 100
	mostListed    = 100
)

// described is the answer of RunTask.
func described(tasks []*Task) any {
	list := []any{}
	for _, t := range tasks {
		list = append(list, t.describe())
	}
	return map[string]any{"tasks": list, "failures": []any{}}
}

func (e *Edge) describeTasks(body []byte) (any, error) {
	var in struct {
		Cluster string   `json:"cluster"`
		Tasks   []string `json:"tasks"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, invalid("%v", err)
	}
	cluster, err := e.cluster(in.Cluster)
	switch {
	case err != nil:
		return nil, err
	case len(in.Tasks) == 0:
		return nil, invalid("Tasks cannot be empty.")
	case len(in.Tasks) > mostDescribed:
		return nil, invalid("%d tasks, at most %d", len(in.Tasks), mostDescribed)
	}
	list, failures := []any{}, []any{}
	for _, name := range in.Tasks {
		t := e.find(cluster, name)
		if t == nil {
			failures = append(failures, map[string]string{"arn": arn(cluster, name), "reason": "MISSING"})
			continue
		}
		list = append(list, t.describe())
	}
	return map[string]any{"tasks": list, "failures": failures}, nil
}

func arn(cluster, name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return fmt.Sprintf("arn:aws:ecs:%s:%s:task/%s/%s", region, account, cluster, name)
}

// find is the task of that id or ARN, if other calls than RunTask know it by now, and still.
func (e *Edge) find(cluster, name string) *Task {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[arn(cluster, name)]
	if t == nil || !t.visible() {
		return nil
	}
	return t
}

func (t *Task) visible() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	stopped := t.times["stoppedAt"]
	return time.Since(t.created) >= t.e.o.Visible && (stopped.IsZero() || time.Since(stopped) < t.e.o.Keep)
}

func (e *Edge) stopTask(body []byte) (any, error) {
	var in struct{ Cluster, Task, Reason string }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, invalid("%v", err)
	}
	cluster, err := e.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	t := e.find(cluster, in.Task)
	if t == nil {
		return nil, invalid("The referenced task was not found.")
	}
	t.end("UserInitiated", in.Reason)
	return map[string]any{"task": t.describe()}, nil
}

type listRequest struct {
	Cluster, ContainerInstance, Family, StartedBy, ServiceName, DesiredStatus, LaunchType, DaemonName, NextToken string
	MaxResults                                                                                                   *int
}

func (e *Edge) listTasks(body []byte) (any, error) {
	var in listRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, invalid("%v", err)
	}
	cluster, err := e.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if in.StartedBy != "" && (in.Family != "" || in.ServiceName != "" || in.ContainerInstance != "" || in.LaunchType != "") {
		return nil, invalid("When you specify startedBy as the filter, it must be the only filter that you use.")
	}
	most := mostListed
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	if most < 1 || most > mostListed {
		return nil, invalid("maxResults %d is not from 1 to %d", most, mostListed)
	}
	from := 0
	if in.NextToken != "" {
		if from, err = strconv.Atoi(in.NextToken); err != nil {
			return nil, invalid("Invalid token")
		}
	}
	return page(e.matching(cluster, in), from, most), nil
}

func (e *Edge) matching(cluster string, in listRequest) []string {
	desired := in.DesiredStatus
	if desired == "" {
		desired = "RUNNING"
	}
	arns := []string{}
	for _, t := range e.Tasks() {
		t.mu.Lock()
		now := t.desired
		t.mu.Unlock()
		wanted := matches(in.StartedBy, t.StartedBy) && matches(in.Family, t.Definition.Family) && matches(in.LaunchType, t.launchType()) &&
			in.ServiceName == "" && in.ContainerInstance == "" && in.DaemonName == "" // these are of no service
		if t.Cluster == cluster && t.visible() && now == desired && wanted {
			arns = append(arns, t.Arn)
		}
	}
	return arns
}

func matches(filter, value string) bool { return filter == "" || filter == value }

func page(arns []string, from, most int) any {
	from = min(max(from, 0), len(arns))
	out := map[string]any{"taskArns": arns[from:]}
	if len(arns)-from > most {
		out["taskArns"], out["nextToken"] = slices.Clone(arns[from:from+most]), strconv.Itoa(from+most)
	}
	return out
}

func (t *Task) launchType() string {
	if strings.HasPrefix(t.Provider, "FARGATE") {
		return "FARGATE"
	}
	return "EC2"
}

// describe is the task in the API's words. Times are seconds, as protocol JSON 1.1 has them.
func (t *Task) describe() map[string]any {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := map[string]any{
		"containerArn": "arn:aws:ecs:" + region + ":" + account + ":container/" + t.Cluster + "/" + t.ID + "/0",
		"taskArn":      t.Arn, "name": t.launch.Container.Name, "image": t.launch.Container.Image, "lastStatus": t.containerStatus(),
		"networkInterfaces": []any{}, "healthStatus": "UNKNOWN", "cpu": "0",
	}
	if t.exit != nil {
		c["exitCode"] = *t.exit
	}
	out := map[string]any{
		"taskArn": t.Arn, "clusterArn": fmt.Sprintf("arn:aws:ecs:%s:%s:cluster/%s", region, account, t.Cluster),
		"taskDefinitionArn": t.Definition.Arn,
		"lastStatus":        t.status, "desiredStatus": t.desired, "group": t.Group, "launchType": t.launchType(), "containers": []any{c},
		"version": t.version, "createdAt": seconds(t.created), "availabilityZone": region + "a", "attachments": []any{}, "tags": []any{},
		"cpu": t.Definition.CPU, "memory": t.Definition.Memory, "platformFamily": "Linux", "platformVersion": "1.4.0",
	}
	if t.StartedBy != "" {
		out["startedBy"] = t.StartedBy
	}
	if t.Provider != "" && t.launchType() == "FARGATE" {
		out["capacityProviderName"] = t.Provider
	}
	if t.code != "" {
		out["stopCode"], out["stoppedReason"] = t.code, t.reason
	}
	for name, at := range t.times {
		out[name] = seconds(at)
	}
	if t.RawOverrides != nil {
		out["overrides"] = json.RawMessage(t.RawOverrides)
	}
	return out
}

func (t *Task) containerStatus() string {
	switch t.status {
	case "RUNNING", "DEACTIVATING", "STOPPING":
		if t.exit == nil {
			return "RUNNING"
		}
		return "STOPPED"
	case "DEPROVISIONING", "STOPPED":
		return "STOPPED"
	}
	return "PENDING"
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
