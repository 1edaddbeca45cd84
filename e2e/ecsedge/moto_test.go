// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

func startMotoFor(t *testing.T) *Moto {
	t.Helper()
	m, err := StartMoto(patience.Context(t))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(m.Close)
	return m
}

// TestAsMoto: where moto, which nobody here wrote, has a rule of ECS, the edge in front of it has the same. Not compared is what moto
// lacks: strategies, overrides' bounds, tokens, MISSING, stop codes.
func TestAsMoto(t *testing.T) {
	moto := startMotoFor(t)
	call(t, moto.URL.String(), "CreateCluster", object{"clusterName": "main"})
	out, exception := call(t, moto.URL.String(), "RegisterTaskDefinition", object{
		"family": "runner", "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "512", "memory": "1024",
		"containerDefinitions": []object{{"name": "runner", "image": "runner:1", "memory": 512, "cpu": 256, "essential": true}},
	})
	if exception != "" {
		t.Fatal(out)
	}
	// The edge has its definition from moto.
	r := newRig(t, func(o *Options) { o.Definitions, o.Next = nil, moto.Proxy() })
	network := object{"awsvpcConfiguration": object{"subnets": []string{subnetOf(t, moto)}, "securityGroups": []string{}}}
	for _, step := range []struct {
		name, operation string
		in              object
	}{
		{"an unknown cluster", "RunTask", good(object{"cluster": "other"})},
		{"an unknown definition", "RunTask", good(object{"taskDefinition": "other"})},
		{"a task", "RunTask", good(object{"networkConfiguration": network})},
		{"those started by the job", "ListTasks", object{"cluster": "main", "startedBy": "job/1"}},
		{"those started by another", "ListTasks", object{"cluster": "main", "startedBy": "job/2"}},
		{"of an unknown cluster", "ListTasks", object{"cluster": "other"}},
		{"nothing to describe", "DescribeTasks", object{"cluster": "main", "tasks": []string{}}},
	} {
		want, wantException := call(t, moto.URL.String(), step.operation, step.in)
		got, gotException := call(t, r.url, step.operation, step.in)
		if gotException != wantException {
			t.Errorf("%s: %q %v, with moto %q %v", step.name, gotException, got, wantException, want)
			continue
		}
		for key, v := range want {
			list, ok := v.([]any)
			if mine, _ := got[key].([]any); ok && key != "failures" && len(mine) != len(list) {
				t.Errorf("%s: %d %s, with moto %d", step.name, len(mine), key, len(list))
			}
		}
		if step.name == "a task" && wantException == "" {
			sameMembers(t, got["tasks"].([]any)[0].(object), want["tasks"].([]any)[0].(object))
		}
	}
}

// subnetOf is a subnet of the VPC that each account has: moto looks it up.
func subnetOf(t *testing.T, m *Moto) string {
	t.Helper()
	query := strings.NewReader("Action=DescribeSubnets&Version=2016-11-15")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.URL.String(), query)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sign(req.Header, "ec2")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	id := regexp.MustCompile(`<subnetId>(subnet-[0-9a-f]+)</subnetId>`).FindSubmatch(b)
	if err != nil || id == nil {
		t.Fatalf("no subnet: %v: %s", err, b)
	}
	return string(id[1])
}

// sameMembers: what moto has of a task the edge has too, of the same kind.
func sameMembers(t *testing.T, got, want object) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if want[k] == nil || slices.Contains([]string{"resourceRequirements", "containerInstanceArn", "stoppedReason", "overrides"}, k) {
			continue
		}
		a, b := kindOf(got[k]), kindOf(want[k])
		if a != b {
			t.Errorf("%s is %s, with moto %s", k, a, b)
		}
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "absent"
	case string:
		return "a string"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case bool:
		return "a boolean"
	}
	return "an object"
}

// TestCLI: AWS's own command line understands the edge.
func TestCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skipf("%v: pip install awscli", err)
	}
	r := newRig(t, nil)
	aws := func(args ...string) (out object) {
		cmd := exec.CommandContext(patience.Context(t), "aws", append([]string{"ecs"}, args...)...)
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+r.url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
			"AWS_DEFAULT_REGION="+region, "AWS_MAX_ATTEMPTS=2", "AWS_CONFIG_FILE=/dev/null", "AWS_PAGER=")
		b, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, b)
		}
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatalf("aws %s: %s", strings.Join(args, " "), b)
		}
		return out
	}
	out := aws("run-task", "--cluster", "main", "--task-definition", "runner",
		"--capacity-provider-strategy", "capacityProvider=FARGATE_SPOT,weight=1",
		"--network-configuration", "awsvpcConfiguration={subnets=[subnet-1],securityGroups=[sg-1]}", "--started-by", "job-1",
		"--overrides", `{"containerOverrides":[{"name":"runner","command":["task"]}]}`)
	arn := arnOf(t, out)
	r.await(t, "RUNNING")
	out = aws("describe-tasks", "--cluster", "main", "--tasks", arn)
	if d := out["tasks"].([]any)[0].(object); d["lastStatus"] != "RUNNING" || d["capacityProviderName"] != "FARGATE_SPOT" {
		t.Errorf("%v", d)
	}
	aws("stop-task", "--cluster", "main", "--task", arn, "--reason", "enough")
	r.started[0].exit <- 0
	out = aws("list-tasks", "--cluster", "main", "--started-by", "job-1", "--desired-status", "STOPPED")
	if len(out["taskArns"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
}

// TestProcesses: a task can be a real process, whose exit code and signals are real.
func TestProcesses(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		stop         bool
		want         float64
	}{
		{"it exits", "exit $((A + 6))", false, 7},
		{"it is told to stop", "trap 'exit 9' TERM; echo ready >&2; while :; do read -t 1 line <> <(:); done", true, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ready := make(chan struct{}, 64)
			r := newRig(t, func(o *Options) { o.Start = Processes("/bin/bash", notifier(ready)) })
			call(t, r.url, "RunTask", good(overrideOf(object{"name": "runner", "command": []string{"-c", tt.script}})))
			task := r.Tasks()[0]
			if tt.stop {
				patience.Receive(t, ready, "its trap is set")
				call(t, r.url, "StopTask", object{"cluster": "main", "task": task.Arn})
			}
			patience.Receive(t, task.Done(), "it stops")
			c := r.describe(t, task.Arn)["containers"].([]any)[0].(object)
			if c["exitCode"] != tt.want {
				t.Errorf("exit code %v, want %v", c["exitCode"], tt.want)
			}
		})
	}
}

// notifier is an io.Writer that sends for each write.
type notifier chan struct{}

func (n notifier) Write(p []byte) (int, error) {
	select {
	case n <- struct{}{}:
	default:
	}
	return len(p), nil
}

// TestUnknownCall: without moto there is nobody to pass other calls on to.
func TestUnknownCall(t *testing.T) {
	e := New(Options{Model: model(t)})
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	if _, exception := call(t, srv.URL, "ListClusters", object{}); exception != "UnknownOperationException" {
		t.Error(exception)
	}
}
