// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ccee-dev/ccee/e2e/ecsedge"
)

// doneAtOnce is a container that ends as soon as it was started.
type doneAtOnce struct{}

func (doneAtOnce) Signal(os.Signal) error { return nil }
func (doneAtOnce) Wait() int              { return 0 }

// ecsModel is AWS's description of ECS; it is large.
var ecsModel = sync.OnceValues(func() (*ecsedge.Model, error) { return ecsedge.OpenModel("ecs") })

// newReplayEdge is an ECS that holds requests to AWS's own model, with one task definition.
func newReplayEdge(t *testing.T, faults ecsedge.Faults) *ecsedge.Edge {
	t.Helper()
	model, err := ecsModel()
	if err != nil && os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("AWS's model of ECS is not installed: %v", err)
	}
	server := httptest.NewUnstartedServer(nil)
	edge := ecsedge.New(ecsedge.Options{
		Model: model, Clusters: []string{"main"}, URL: "http://" + server.Listener.Addr().String(), Faults: faults,
		Definitions: map[string]ecsedge.Definition{"ccee-dlq-replay": {NetworkMode: "awsvpc", CPU: "256", Memory: "512",
			Compatible: []string{"FARGATE"}, Containers: []ecsedge.Container{{Name: "dlq-replay", Image: "ccee:1"}}}},
		Start: func(ecsedge.Launch) (ecsedge.Process, error) { return doneAtOnce{}, nil },
	})
	server.Config.Handler = edge
	server.Start()
	t.Cleanup(func() {
		edge.Close()
		server.Close()
		for _, v := range edge.Violations() {
			t.Errorf("not as AWS's model has it: %s", v)
		}
	})
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	return edge
}

func replayConfig() ReplayConfig {
	return ReplayConfig{Region: "us-east-1", Cluster: "main", Definition: "ccee-dlq-replay", Subnets: []string{"subnet-1", "subnet-2"},
		SecurityGroups: []string{"sg-1"}}
}

// One Fargate task of the definition is started, without overrides.
func TestReplay(t *testing.T) {
	edge := newReplayEdge(t, ecsedge.Faults{})
	r, err := NewReplay(t.Context(), replayConfig())
	if err != nil {
		t.Fatal(err)
	}
	tasks, failures, err := r.Start(t.Context())
	started := edge.Tasks()
	if err != nil || len(failures) > 0 || len(tasks) != 1 || len(started) != 1 || tasks[0] != started[0].Arn {
		t.Fatalf("%v, %v, %v; started %v", tasks, failures, err, started)
	}
	s := started[0]
	if s.Definition.Family != "ccee-dlq-replay" || s.StartedBy != "dlq-replay" || strings.Trim(string(s.RawOverrides), "{}") != "" {
		t.Errorf("%s by %s with the overrides %s", s.Definition.Family, s.StartedBy, s.RawOverrides)
	}
}

// What can't be asked for is an error that names the setting or AWS's reason.
func TestReplayRefused(t *testing.T) {
	newReplayEdge(t, ecsedge.Faults{})
	for want, change := range map[string]func(*ReplayConfig){
		"AWS_REGION":               func(c *ReplayConfig) { c.Region = "" },
		"ClusterNotFoundException": func(c *ReplayConfig) { c.Cluster = "other" },
		"ClientException":          func(c *ReplayConfig) { c.Definition = "nosuch" },
	} {
		c := replayConfig()
		change(&c)
		r, err := NewReplay(t.Context(), c)
		if err == nil {
			_, _, err = r.Start(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// When answers are lost the client asks again, and no second task starts.
func TestReplayStartsOnce(t *testing.T) {
	edge := newReplayEdge(t, ecsedge.Faults{LoseAnswer: 1})
	r, err := NewReplay(t.Context(), replayConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Start(t.Context()); err == nil {
		t.Error("no answer came, and that is no error")
	}
	if calls, tasks := edge.Calls("RunTask"), len(edge.Tasks()); calls < 2 || tasks != 1 {
		t.Errorf("%d calls started %d tasks, want one by several", calls, tasks)
	}
}
