// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"net/http"
)

// StartedTask is the answer of ECS to who starts a task.
type StartedTask struct {
	Definition string        // ARN of the task definition
	Tasks      []string      // ARNs of the tasks that started
	Failures   []TaskFailure // of those that did not
}

// TaskFailure is why ECS did not start a task.
type TaskFailure struct {
	Arn    string `json:"arn,omitempty"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// ErrNoTaskNetwork is Options.StartReplay's error where no subnets or no security groups are configured.
var ErrNoTaskNetwork = errors.New("the task has no subnets or no security groups")

// runbook is the answer of POST /v1/admin/runbook/dlq.
type runbook struct {
	Status   string        `json:"status"`
	TraceID  string        `json:"traceId"`
	Tasks    []string      `json:"tasks"`
	Failures []TaskFailure `json:"failures"`
}

// replayDead starts the replay of dead-lettered jobs as a task on ECS: POST /v1/admin/runbook/dlq. Elsewhere ccee dlq replay does it.
func (s *Server) replayDead(c *call) {
	if s.opts.StartReplay == nil {
		c.refuse(http.StatusServiceUnavailable, "dlq_replay_not_configured", "")
		return
	}
	started, err := s.opts.StartReplay(c.r.Context())
	switch {
	case errors.Is(err, ErrNoTaskNetwork):
		c.refuse(http.StatusServiceUnavailable, "dlq_replay_network_missing", "")
		return
	case err != nil:
		c.log.Error().Err(err).Str("traceId", c.trace).Msg("start the replay of dead-lettered jobs")
		c.fault()
		return
	}
	answer := runbook{Status: "started", TraceID: c.trace, Tasks: []string{}, Failures: []TaskFailure{}}
	answer.Tasks = append(answer.Tasks, started.Tasks...)
	answer.Failures = append(answer.Failures, started.Failures...)
	if list, err := json.Marshal(answer.Tasks); err == nil { // strings can be marshalled
		s.audit(c, "admin_runbook_triggered", "", map[string]any{"taskDefinition": started.Definition, "tasks": string(list)})
	}
	c.json(http.StatusOK, answer)
}
