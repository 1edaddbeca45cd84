// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Bounds of how long a task can be protected, in minutes.
const (
	minMinutes = 1
	maxMinutes = 2880
)

// protectionRequest is the body of PUT task-protection/v1/state.
type protectionRequest struct {
	ProtectionEnabled bool
	ExpiresInMinutes  int `json:",omitempty"` // without it, 120
}

// protectionAnswer has one of three members.
type protectionAnswer struct {
	Protection *protection `json:"protection"`
	Failure    *struct {
		Reason string
		Detail string
	} `json:"failure"` // with the status 200
	Error *struct {
		Code    string
		Message string
	} `json:"error"`
}

type protection struct {
	ProtectionEnabled bool
	ExpirationDate    *time.Time // nil unless it is enabled
	TaskArn           string
}

// Protect keeps ECS from stopping the task to scale in or to deploy for that many minutes, 1 to 2,880; 0 ends that. It returns when the
// protection ends, by AWS's clock; the zero time when there is none.
func (c *Client) Protect(ctx context.Context, minutes int) (until time.Time, err error) {
	if minutes != 0 && (minutes < minMinutes || minutes > maxMinutes) {
		return time.Time{}, fmt.Errorf("a task can be protected for %d to %d minutes, not for %d", minMinutes, maxMinutes, minutes)
	}
	what := "protect the task from scale-in"
	if minutes == 0 {
		what = "end the task's protection from scale-in"
	}
	request := protectionRequest{ProtectionEnabled: minutes > 0, ExpiresInMinutes: minutes}
	status, body, err := c.do(ctx, http.MethodPut, c.agent, "/task-protection/v1/state", request)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", what, err)
	}
	p, err := parseProtection(status, body)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("%s: %w", what, err)
	case p.ProtectionEnabled != request.ProtectionEnabled:
		return time.Time{}, fmt.Errorf("%s: the agent answers that ProtectionEnabled is %v", what, p.ProtectionEnabled)
	case minutes == 0:
		return time.Time{}, nil
	}
	return *p.ExpirationDate, nil
}

func parseProtection(status int, body []byte) (protection, error) {
	var a protectionAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return protection{}, fmt.Errorf("the agent answers %d: %.200q", status, body)
	}
	switch {
	case a.Error != nil:
		return protection{}, fmt.Errorf("the agent answers %d, %.100s: %.200s", status, a.Error.Code, a.Error.Message)
	case a.Failure != nil:
		return protection{}, fmt.Errorf("ECS refuses it, %.100s: %.200s", a.Failure.Reason, a.Failure.Detail)
	case status != http.StatusOK || a.Protection == nil:
		return protection{}, fmt.Errorf("the agent answers %d: %.200q", status, body)
	case a.Protection.ProtectionEnabled && a.Protection.ExpirationDate == nil:
		return protection{}, errors.New("the agent answers with a protection that has no ExpirationDate")
	}
	return *a.Protection, nil
}
