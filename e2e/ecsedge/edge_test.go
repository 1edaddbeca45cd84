// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// rig is an Edge that listens on loopback, with one task definition whose container is a stand-in.
type rig struct {
	*Edge
	url   string
	model *Model

	mu      sync.Mutex
	started []*fake
}

// fake is a container that ends when it is told to.
type fake struct {
	launch  Launch
	signals chan os.Signal
	exit    chan int
}

func (f *fake) Signal(s os.Signal) error {
	if s == syscall.SIGKILL {
		f.exit <- 137
	} else {
		f.signals <- s
	}
	return nil
}

func (f *fake) Wait() int { return <-f.exit }

var openModel = sync.OnceValues(func() (*Model, error) { return OpenModel("ecs") })

func model(t *testing.T) *Model {
	t.Helper()
	m, err := openModel()
	if err != nil {
		t.Skipf("%v: pip install botocore", err)
	}
	return m
}

func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := &rig{model: model(t)}
	o := Options{
		Model: r.model, Clusters: []string{"main"},
		Definitions: map[string]Definition{"runner": {
			NetworkMode: "awsvpc", CPU: "512", Memory: "1024", Compatible: []string{"FARGATE"},
			Containers: []Container{{Name: "runner", Image: "runner:1", Environment: []pair{{"A", "1"}, {"B", "2"}}, StopTimeout: 120}},
		}},
		Start: func(l Launch) (Process, error) {
			f := &fake{launch: l, signals: make(chan os.Signal, 8), exit: make(chan int, 2)}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.started = append(r.started, f)
			return f, nil
		},
	}
	srv := httptest.NewUnstartedServer(nil)
	o.URL = "http://" + srv.Listener.Addr().String()
	if change != nil {
		change(&o)
	}
	edge := New(o)
	r.Edge, r.url = edge, o.URL
	srv.Config.Handler = edge
	srv.Start()
	t.Cleanup(func() {
		edge.Close()
		srv.Close()
		for _, v := range edge.Violations() {
			t.Errorf("not as AWS's model has it: %s", v)
		}
	})
	return r
}

// call makes one call and returns its answer and the exception, if it was refused.
func call(t *testing.T, url, operation string, in any) (out map[string]any, exception string) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", target+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sign(req.Header, "ecs")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "no answer"
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s: %v: %s", operation, err, b)
	}
	if resp.StatusCode == http.StatusOK {
		return out, ""
	}
	name, _ := out["__type"].(string)
	return out, name[strings.LastIndex(name, "#")+1:]
}

type object = map[string]any

// good is a request that ECS accepts, with changes; a nil takes a member out.
func good(change object) object {
	in := object{
		"cluster": "main", "taskDefinition": "runner", "launchType": "FARGATE", "clientToken": "job-1", "startedBy": "job/1",
		"networkConfiguration": object{"awsvpcConfiguration": object{"subnets": []string{"subnet-1"}}},
	}
	for k, v := range change {
		in[k] = v
		if v == nil {
			delete(in, k)
		}
	}
	return in
}

// overrideOf changes the overrides of a request to those.
func overrideOf(containers ...object) object {
	return object{"overrides": object{"containerOverrides": containers}}
}

// override has n characters.
func override(n int) object {
	entry := object{"name": "runner", "environment": []object{{"name": "X", "value": ""}}}
	b, err := json.Marshal(object{"containerOverrides": []object{entry}})
	if err != nil {
		panic(err)
	}
	entry["environment"] = []object{{"name": "X", "value": strings.Repeat("é", n-len(b))}}
	return object{"containerOverrides": []object{entry}}
}

// TestRules: what RunTask accepts and refuses is what its documentation in AWS's model says.
func TestRules(t *testing.T) {
	spot := []object{{"capacityProvider": "FARGATE_SPOT", "weight": 1}}
	mine := []object{{"capacityProvider": "mine"}}
	many := make([]string, 17)
	for _, tt := range []struct {
		name   string
		change object
		want   string
	}{
		{"as it should be", nil, ""},
		{"a strategy", object{"launchType": nil, "capacityProviderStrategy": spot}, ""},
		{"a launch type and a strategy", object{"capacityProviderStrategy": spot}, "InvalidParameterException"},
		{"ten tasks", object{"count": 10}, ""},
		{"eleven tasks", object{"count": 11}, "InvalidParameterException"},
		{"no tasks", object{"count": 0}, "InvalidParameterException"},
		{"8,192 characters of overrides", object{"overrides": override(8192)}, ""},
		{"8,193 characters of overrides", object{"overrides": override(8193)}, "InvalidParameterException"},
		{"another container's name", overrideOf(object{"name": "other"}), "InvalidParameterException"},
		{"a token of 64 characters", object{"clientToken": strings.Repeat("~", 64)}, ""},
		{"a token of 65 characters", object{"clientToken": strings.Repeat("~", 65)}, "InvalidParameterException"},
		{"a token with a space", object{"clientToken": "a b"}, "InvalidParameterException"},
		{"startedBy with 128 characters", object{"startedBy": strings.Repeat("/", 128)}, ""},
		{"startedBy with 129 characters", object{"startedBy": strings.Repeat("/", 129)}, "InvalidParameterException"},
		{"startedBy with a dot", object{"startedBy": "a.b"}, "InvalidParameterException"},
		{"no network", object{"networkConfiguration": nil}, "InvalidParameterException"},
		{"17 subnets", object{"networkConfiguration": object{"awsvpcConfiguration": object{"subnets": many}}}, "InvalidParameterException"},
		{"an unknown provider", object{"launchType": nil, "capacityProviderStrategy": mine}, "InvalidParameterException"},
		{"an unknown cluster", object{"cluster": "other"}, "ClusterNotFoundException"},
		{"an unknown definition", object{"taskDefinition": "other:3"}, "ClientException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			out, exception := call(t, r.url, "RunTask", good(tt.change))
			if exception != tt.want {
				t.Errorf("%q, want %q: %v", exception, tt.want, out)
			}
			if started := len(r.Tasks()); (started > 0) != (tt.want == "") {
				t.Errorf("%d tasks", started)
			}
		})
	}
}

func arnOf(t *testing.T, out object) string {
	t.Helper()
	tasks, _ := out["tasks"].([]any)
	if len(tasks) != 1 {
		t.Fatalf("one task was expected: %v", out)
	}
	arn, _ := tasks[0].(object)["taskArn"].(string)
	return arn
}

// TestClientToken: the same token with the same request is the same task, with another request a conflict that names it.
func TestClientToken(t *testing.T) {
	r := newRig(t, nil)
	first, _ := call(t, r.url, "RunTask", good(nil))
	second, _ := call(t, r.url, "RunTask", good(nil))
	if a, b := arnOf(t, first), arnOf(t, second); a != b || len(r.Tasks()) != 1 {
		t.Errorf("%s and %s", a, b)
	}
	out, exception := call(t, r.url, "RunTask", good(object{"startedBy": "other"}))
	if ids, _ := out["resourceIds"].([]any); exception != "ConflictException" || len(ids) != 1 || ids[0] != arnOf(t, first) {
		t.Errorf("%s %v", exception, out)
	}
}

// await waits for a state of the first task.
func (r *rig) await(t *testing.T, status string) *Task {
	t.Helper()
	var task *Task
	patience.Until(t, status, func() (bool, string) {
		task = r.Tasks()[0]
		now, code := task.Status()
		return now == status, now + " " + code
	})
	return task
}

func (r *rig) describe(t *testing.T, arn string) object {
	t.Helper()
	out, _ := call(t, r.url, "DescribeTasks", object{"cluster": "main", "tasks": []string{arn}})
	tasks, _ := out["tasks"].([]any)
	if len(tasks) == 0 {
		return nil
	}
	return tasks[0].(object)
}

// TestLadder follows a task to its end, and what each call says of it.
func TestLadder(t *testing.T) {
	r := newRig(t, nil)
	out, _ := call(t, r.url, "RunTask", good(overrideOf(object{
		"name": "runner", "command": []string{"task"}, "environment": []object{{"name": "B", "value": "3"}}})))
	task := r.await(t, "RUNNING")
	l := r.started[0].launch
	if l.Env["A"] != "1" || l.Env["B"] != "3" || fmt.Sprint(l.Command) != "[task]" || l.Env["ECS_AGENT_URI"] == "" {
		t.Errorf("launched with %v %v", l.Command, l.Env)
	}
	if d := r.describe(t, arnOf(t, out)); d["lastStatus"] != "RUNNING" || d["desiredStatus"] != "RUNNING" || d["stopCode"] != nil {
		t.Errorf("while it runs: %v", d)
	}
	for by, want := range map[string]int{"job/1": 1, "job/2": 0} {
		out, _ := call(t, r.url, "ListTasks", object{"cluster": "main", "startedBy": by})
		if n := len(out["taskArns"].([]any)); n != want {
			t.Errorf("%d tasks started by %s, want %d", n, by, want)
		}
	}
	r.started[0].exit <- 7
	patience.Receive(t, task.Done(), "the task stops")
	d := r.describe(t, task.Arn)
	c := d["containers"].([]any)[0].(object)
	if d["lastStatus"] != "STOPPED" || d["stopCode"] != "EssentialContainerExited" || c["exitCode"] != 7.0 || d["stoppedAt"] == nil {
		t.Errorf("in the end: %v", d)
	}
}

func TestStop(t *testing.T) {
	r := newRig(t, nil)
	out, _ := call(t, r.url, "RunTask", good(nil))
	task := r.await(t, "RUNNING")
	if _, exception := call(t, r.url, "StopTask", object{"cluster": "main", "task": arnOf(t, out), "reason": "deadline"}); exception != "" {
		t.Fatal(exception)
	}
	patience.Receive(t, r.started[0].signals, "a signal")
	r.started[0].exit <- 143
	patience.Receive(t, task.Done(), "the task stops")
	if d := r.describe(t, task.Arn); d["stopCode"] != "UserInitiated" || d["stoppedReason"] != "deadline" {
		t.Errorf("%v", d)
	}
	if _, exception := call(t, r.url, "StopTask", object{"cluster": "main", "task": "nobody"}); exception != "InvalidParameterException" {
		t.Error(exception)
	}
}

// TestMissing: an unknown task is a failure and no error, and a new one is unknown at first.
func TestMissing(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Visible = time.Hour })
	out, _ := call(t, r.url, "RunTask", good(nil))
	out, exception := call(t, r.url, "DescribeTasks", object{"cluster": "main", "tasks": []string{arnOf(t, out), "0123"}})
	failures, _ := out["failures"].([]any)
	if exception != "" || len(failures) != 2 || failures[1].(object)["reason"] != "MISSING" {
		t.Errorf("%s %v", exception, out)
	}
}

func TestFaults(t *testing.T) {
	spot := object{"launchType": nil, "capacityProviderStrategy": []object{{"capacityProvider": "FARGATE_SPOT"}}}
	t.Run("throttled", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Faults.Throttle = 1 })
		if _, exception := call(t, r.url, "RunTask", good(nil)); exception != throttling {
			t.Error(exception)
		}
	})
	t.Run("too many calls", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.CallRate = 1e-9 })
		if _, exception := call(t, r.url, "RunTask", good(nil)); exception != throttling {
			t.Error(exception)
		}
	})
	t.Run("no capacity", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Faults.NoCapacity = 1 })
		out, exception := call(t, r.url, "RunTask", good(spot))
		if failures, _ := out["failures"].([]any); exception != "" || len(failures) != 1 || len(r.Tasks()) != 0 {
			t.Errorf("%s %v", exception, out)
		}
		if _, exception := call(t, r.url, "RunTask", good(nil)); exception != "" {
			t.Errorf("on demand: %s", exception)
		}
	})
	t.Run("lost answer", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Faults.LoseAnswer = 1 })
		if _, exception := call(t, r.url, "RunTask", good(nil)); exception != "no answer" || len(r.Tasks()) != 1 {
			t.Errorf("%s, %d tasks", exception, len(r.Tasks()))
		}
	})
	t.Run("stuck", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Faults.Stuck = 1 })
		out, _ := call(t, r.url, "RunTask", good(spot))
		call(t, r.url, "StopTask", object{"cluster": "main", "task": arnOf(t, out)})
		patience.Receive(t, r.Tasks()[0].Done(), "it stops")
		if len(r.started) != 0 {
			t.Error("it was started")
		}
	})
	t.Run("fails to start", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Faults.FailStart = 1 })
		call(t, r.url, "RunTask", good(nil))
		patience.Receive(t, r.Tasks()[0].Done(), "it stops")
		if _, code := r.Tasks()[0].Status(); code != "TaskFailedToStart" {
			t.Error(code)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Faults.Interrupt, o.Faults.InterruptBy = 1, time.Millisecond })
		call(t, r.url, "RunTask", good(spot))
		task := r.await(t, "RUNNING")
		patience.Receive(t, r.started[0].signals, "SIGTERM")
		r.started[0].exit <- 143
		patience.Receive(t, task.Done(), "it stops")
		if _, code := task.Status(); code != "SpotInterruption" {
			t.Error(code)
		}
	})
}

// TestAgent: the endpoints that a task has, in the words of the agent's documentation.
func TestAgent(t *testing.T) {
	r := newRig(t, nil)
	call(t, r.url, "RunTask", good(nil))
	task := r.await(t, "RUNNING")
	env := r.started[0].launch.Env
	get := func(method, url, body string) (out object, status int) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out, resp.StatusCode
	}
	out, _ := get("GET", env["ECS_CONTAINER_METADATA_URI_V4"]+"/task", "")
	if out["TaskARN"] != task.Arn || out["LaunchType"] != "FARGATE" {
		t.Errorf("metadata %v", out)
	}
	state := env["ECS_AGENT_URI"] + "/task-protection/v1/state"
	for body, want := range map[string]int{
		`{"ProtectionEnabled":true,"ExpiresInMinutes":2880}`: 200, `{"ProtectionEnabled":true,"ExpiresInMinutes":2881}`: 400,
		`{"ProtectionEnabled":true,"ExpiresInMinutes":0}`: 400, `{"protection":true}`: 400, `{}`: 400,
	} {
		if _, status := get("PUT", state, body); status != want {
			t.Errorf("%s: %d, want %d", body, status, want)
		}
	}
	if !task.Protected() {
		t.Error("it is not protected")
	}
	if get("PUT", state, `{"ProtectionEnabled":false}`); task.Protected() {
		t.Error("it is still protected")
	}
}

// TestModel: what is not in AWS's model is seen, in both directions.
func TestModel(t *testing.T) {
	m := model(t)
	for body, want := range map[string]string{
		`{"taskDefinition":"a"}`: "",
		`{}`:                     "taskDefinition is missing",
		`{"taskDefinition":"a","launchtype":"FARGATE"}`:                                              "unknown member launchtype",
		`{"taskDefinition":"a","launchType":"SPOT"}`:                                                 "is none of",
		`{"taskDefinition":"a","count":"1"}`:                                                         "want a number",
		`{"taskDefinition":"a","count":1.5}`:                                                         "want a whole number",
		`{"taskDefinition":"a","overrides":{"containerOverrides":{}}}`:                               "want a list",
		`{"taskDefinition":"a","capacityProviderStrategy":[{"weight":1}]}`:                           "capacityProvider is missing",
		`{"taskDefinition":"a","capacityProviderStrategy":[{"capacityProvider":"b","weight":1001}]}`: "out of bounds",
		`[]`: "want an object",
		`{`:  "not JSON",
	} {
		err := m.Request("RunTask", []byte(body))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	if err := m.Answer("RunTask", []byte(`{"tasks":[{"stopCode":"Spot"}]}`)); err == nil {
		t.Error("an answer with an unknown stop code passes")
	}
	if m.Refusal("StopTask", "ConflictException") == nil || m.Refusal("RunTask", "ConflictException") != nil {
		t.Error("exceptions of operations")
	}
}
