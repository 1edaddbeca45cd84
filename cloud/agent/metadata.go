// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Task is what the metadata endpoint, version 4, has about the task. Only what is used is read; the rest may come and go with versions of
// the agent.
type Task struct {
	Cluster          string // name or ARN
	TaskARN          string
	Family           string // of the task definition
	Revision         string // of the task definition
	DesiredStatus    string // RUNNING, STOPPED ...
	KnownStatus      string
	LaunchType       string // EC2, FARGATE, EXTERNAL
	AvailabilityZone string
	ServiceName      string
	Limits           Limits
}

// Limits are those of the whole task; 0: none is set.
type Limits struct {
	CPU    float64 // vCPUs
	Memory int64   // MiB
}

// Task returns the metadata of the task in which this process runs.
func (c *Client) Task(ctx context.Context) (Task, error) {
	status, body, err := c.do(ctx, http.MethodGet, c.metadata, "/task", nil)
	if err != nil {
		return Task{}, fmt.Errorf("read the task's metadata: %w", err)
	}
	if status != http.StatusOK {
		return Task{}, fmt.Errorf("read the task's metadata: the agent answers %d: %.200q", status, body)
	}
	return parseTask(body)
}

func parseTask(body []byte) (Task, error) {
	var t Task
	if err := json.Unmarshal(body, &t); err != nil {
		return Task{}, fmt.Errorf("read the task's metadata: %w", err)
	}
	if !strings.HasPrefix(t.TaskARN, "arn:") {
		return Task{}, fmt.Errorf("read the task's metadata: TaskARN is %.100q, which is no ARN", t.TaskARN)
	}
	return t, nil
}
