// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// Bounds of scale-in protection, in minutes: see "Amazon ECS task scale-in protection endpoint".
const (
	leastProtection, mostProtection, usualProtection = 1, 2880, 120
)

// agentOf are the variables by which a task finds its agent. On Fargate they have link-local addresses, here this Edge's.
func (e *Edge) agentOf(t *Task) map[string]string {
	if e.o.URL == "" {
		return nil
	}
	base := e.o.URL + "/agent/" + t.ID
	return map[string]string{
		"ECS_CONTAINER_METADATA_URI_V4":      base + "/v4",
		"ECS_AGENT_URI":                      base + "/api",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": base + "/credentials",
		"AWS_EXECUTION_ENV":                  "AWS_ECS_" + t.launchType(),
		"AWS_REGION":                         region,
	}
}

// agent answers what a task asks of its agent, and reports whether it was that.
func (e *Edge) agent(w http.ResponseWriter, r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, "/agent/")
	if !ok {
		return false
	}
	id, path, _ := strings.Cut(rest, "/")
	for _, t := range e.Tasks() {
		if t.ID == id {
			t.mu.Lock()
			t.fetched = append(t.fetched, r.Method+" "+path)
			t.mu.Unlock()
			t.serveAgent(w, r, path)
			return true
		}
	}
	http.NotFound(w, r)
	return true
}

func (t *Task) serveAgent(w http.ResponseWriter, r *http.Request, path string) {
	switch {
	case r.Method == http.MethodGet && path == "v4":
		reply(w, http.StatusOK, t.containerMetadata())
	case r.Method == http.MethodGet && path == "v4/task":
		reply(w, http.StatusOK, t.taskMetadata())
	case path == "api/task-protection/v1/state":
		t.protection(w, r)
	case r.Method == http.MethodGet && path == "credentials":
		reply(w, http.StatusOK, map[string]any{
			"RoleArn": t.Definition.TaskRole, "AccessKeyId": "ASIATASK" + t.ID[:12], "SecretAccessKey": "secret-of-" + t.ID,
			"Token":      "session",
			"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		})
	default:
		http.NotFound(w, r)
	}
}

func (t *Task) containerMetadata() map[string]any {
	return map[string]any{
		"DockerId": t.ID, "Name": t.launch.Container.Name, "DockerName": "ecs-" + t.launch.Container.Name,
		"Image": t.launch.Container.Image,
		"Labels": map[string]string{
			"com.amazonaws.ecs.cluster": t.Cluster, "com.amazonaws.ecs.task-arn": t.Arn,
			"com.amazonaws.ecs.task-definition-family": t.Definition.Family,
		},
		"DesiredStatus": "RUNNING", "KnownStatus": "RUNNING", "Limits": map[string]any{"CPU": 2}, "Type": "NORMAL",
	}
}

func (t *Task) taskMetadata() map[string]any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return map[string]any{
		"Cluster": t.Cluster, "TaskARN": t.Arn, "Family": t.Definition.Family, "Revision": "1", "DesiredStatus": t.desired,
		"KnownStatus": t.status,
		"Containers":  []any{t.containerMetadata()}, "LaunchType": t.launchType(), "AvailabilityZone": region + "a",
	}
}

// protection is the agent's endpoint for scale-in protection: PUT sets it, GET tells of it.
func (t *Task) protection(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ProtectionEnabled *bool
		ExpiresInMinutes  *int
	}
	switch r.Method {
	case http.MethodPut:
		dec := json.NewDecoder(io.LimitReader(r.Body, 4096))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil || in.ProtectionEnabled == nil {
			t.protectionError(w, "InvalidParameterException", "Invalid request: does not contain 'ProtectionEnabled' field")
			return
		}
		minutes := usualProtection
		if in.ExpiresInMinutes != nil {
			minutes = *in.ExpiresInMinutes
		}
		if minutes < leastProtection || minutes > mostProtection {
			t.protectionError(w, "InvalidParameterException", "expiresInMinutes must be from 1 to 2880")
			return
		}
		t.mu.Lock()
		t.protected = time.Time{}
		if *in.ProtectionEnabled {
			t.protected = time.Now().Add(time.Duration(minutes) * time.Minute)
		}
		t.mu.Unlock()
	case http.MethodGet:
	default:
		http.Error(w, "method", http.StatusMethodNotAllowed)
		return
	}
	out := map[string]any{"ProtectionEnabled": t.Protected(), "TaskArn": t.Arn}
	if t.Protected() {
		t.mu.Lock()
		out["ExpirationDate"] = t.protected.UTC().Format(time.RFC3339)
		t.mu.Unlock()
	}
	reply(w, http.StatusOK, map[string]any{"protection": out})
}

func (t *Task) protectionError(w http.ResponseWriter, code, message string) {
	reply(w, http.StatusBadRequest, map[string]any{"error": map[string]string{"Arn": t.Arn, "Code": code, "Message": message}})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
