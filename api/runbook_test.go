// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// The contract's answers of POST /v1/admin/runbook/dlq: what ECS made of it, whatever that is, or why it was not asked.
func TestRunbook(t *testing.T) {
	const task = "arn:aws:ecs:us-east-1:123456789012:task/main/1"
	for _, tt := range []struct {
		name    string
		started StartedTask
		err     error
		status  int
		want    string
		audited string // the list of tasks; "": nothing is audited
	}{
		{"a task", StartedTask{Definition: "replay:1", Tasks: []string{task}}, nil, 200,
			`{"status":"started","traceId":"test-trace","tasks":["` + task + `"],"failures":[]}`, `["` + task + `"]`},
		{"none", StartedTask{Definition: "replay:1", Failures: []TaskFailure{{Reason: "RESOURCE:FARGATE", Detail: "d"}}}, nil, 200,
			`{"status":"started","traceId":"test-trace","tasks":[],"failures":[{"reason":"RESOURCE:FARGATE","detail":"d"}]}`, `[]`},
		{"no network", StartedTask{}, ErrNoTaskNetwork, 503, `{"error":"dlq_replay_network_missing","traceId":"test-trace"}`, ""},
		{"a refusal of AWS", StartedTask{}, errors.New("AccessDeniedException: the secret cause"), 500,
			`{"statusCode":500,"error":"Internal Server Error","message":"internal error; the log has it under this x-request-id"}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, func(o *Options) {
				o.StartReplay = func(context.Context) (StartedTask, error) { return tt.started, tt.err }
			})
			s.post("/v1/admin/runbook/dlq", "").want(t, tt.status, tt.want)
			if logged := strings.Contains(s.log.String(), "secret cause"); logged != (tt.status == 500) {
				t.Errorf("the log has the cause: %v", logged)
			}
			events, err := s.queue.Events(t.Context(), s.tenant, "", 10)
			if err != nil || len(events) > 0 != (tt.audited != "") {
				t.Fatalf("audit: %+v, %v", events, err)
			}
			if tt.audited == "" {
				return
			}
			var got struct{ TaskDefinition, Tasks, TraceID string }
			if err := json.Unmarshal(events[0].Metadata, &got); err != nil || events[0].Action != "admin_runbook_triggered" ||
				got.Tasks != tt.audited || got.TaskDefinition != "replay:1" || got.TraceID != "test-trace" {
				t.Errorf("audit: %+v %s, %v", events[0], events[0].Metadata, err)
			}
		})
	}
}
