// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/ecsedge"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// cloud is an api and a Redis without any worker, beside what stands for AWS: ecsedge for ECS, moto for CloudWatch.
type cloud struct {
	*stack
	dir, redis string // Redis's address
	aws        []string
	edge       *ecsedge.Edge
	tasks      *bytes.Buffer // the log of the tasks; read it when they are done
}

// taskDefinitions are those of the services, as far as the edge needs them: each container is a process of the finished binary.
const taskDefinitions = `{
	"ccee-worker": {"networkMode": "awsvpc", "cpu": "512", "memory": "1024", "requiresCompatibilities": ["FARGATE"],
		"containerDefinitions": [{"name": "worker", "image": "ccee:1", "command": ["worker"], "stopTimeout": 120, "environment": [
			{"name": "REDIS_URL", "value": %[1]q}, {"name": "CCEE_SOCKET", "value": %[2]q},
			{"name": "CCEE_DRAIN_MS", "value": "110000"}]}]},
	"ccee-dlq-replay": {"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"],
		"containerDefinitions": [{"name": "dlq-replay", "image": "ccee:1", "command": ["dlq", "replay", "--json"], "environment": [
			{"name": "REDIS_URL", "value": %[1]q}]}]}
}`

// requireAWS skips the test where what stands for AWS is not installed.
func requireAWS(t *testing.T) (*ecsedge.Model, *ecsedge.Moto) {
	t.Helper()
	skip := func(err error) {
		t.Helper()
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatalf("%v: script/deps --tests", err)
		}
		t.Skipf("%v: script/deps --tests", err)
	}
	if _, err := exec.LookPath("aws"); err != nil {
		skip(err)
	}
	model, err := ecsedge.OpenModel("ecs")
	if err != nil {
		skip(err)
	}
	moto, err := ecsedge.StartMoto(patience.Context(t))
	if err != nil {
		skip(err)
	}
	t.Cleanup(moto.Close)
	return model, moto
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	model, moto := requireAWS(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-cloud-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &cloud{stack: &stack{url: "http://" + freePort(t), name: cgroupName("cloud")}, dir: dir,
		redis: redistest.New(t).URL(), tasks: new(bytes.Buffer)}
	var definitions map[string]ecsedge.Definition
	if err := json.Unmarshal(fmt.Appendf(nil, taskDefinitions, c.redis, c.socket()), &definitions); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	c.edge = ecsedge.New(ecsedge.Options{Model: model, Next: moto.Proxy(), Clusters: []string{"main"}, Definitions: definitions, URL: url,
		Start: ecsedge.Processes(binary, c.tasks)})
	server.Config.Handler = c.edge
	server.Start()
	t.Cleanup(func() {
		c.edge.Close()
		server.Close()
		for _, v := range c.edge.Violations() {
			t.Errorf("not as AWS's model has it: %s", v)
		}
		if t.Failed() {
			t.Logf("the log of the tasks:\n%s", c.tasks)
		}
	})
	c.aws = []string{"AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
	startPart(t, append([]string{"REDIS_URL=" + c.redis, "QUEUE_DEPTH_METRIC_NAMESPACE=CCEE", "QUEUE_DEPTH_PUBLISH_INTERVAL_MS=300000",
		"ECS_CLUSTER_ARN=main", "DLQ_REPLAY_TASK_DEFINITION_ARN=ccee-dlq-replay", "DLQ_REPLAY_SUBNET_IDS=subnet-1",
		"DLQ_REPLAY_SECURITY_GROUP_IDS=sg-1"}, c.aws...), binary, "api", "--dev", "--listen", strings.TrimPrefix(c.url, "http://"))
	eventually(t, "the api is ready", 30*time.Second, c.answers("/ready", 200))
	return c
}

func (c *cloud) socket() string { return filepath.Join(c.dir, "daemon.sock") }

// awsCLI runs AWS's own command line and decodes what it prints.
func (c *cloud) awsCLI(t *testing.T, into any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(patience.Context(t), "aws", append(args, "--output", "json")...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, c.aws...)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("aws %v: %v\n%s", args, err, out)
	}
}

// metric returns the largest value of a metric in the last minutes; -1 if there is none.
func (c *cloud) metric(t *testing.T, name string) float64 {
	t.Helper()
	var got struct{ Datapoints []struct{ Maximum float64 } }
	now := time.Now().UTC()
	c.awsCLI(t, &got, "cloudwatch", "get-metric-statistics", "--namespace", "CCEE", "--metric-name", name, "--statistics", "Maximum",
		"--period", "3600", "--dimensions", "Name=QueueName,Value=code-jobs", "Name=Service,Value=ccee-worker",
		"--start-time", now.Add(-time.Hour).Format(time.RFC3339), "--end-time", now.Add(time.Hour).Format(time.RFC3339))
	largest := -1.0
	for _, d := range got.Datapoints {
		largest = max(largest, d.Maximum)
	}
	return largest
}

// ask makes one request with the key of --dev.
func (c *cloud) ask(t *testing.T, method, path string, payload, into any, want int) {
	t.Helper()
	status, answer, err := c.request(method, path, "dev-local-key", payload)
	if err == nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil || status != want {
		t.Fatalf("%s %s: %d %s %v, want %d", method, path, status, answer, err, want)
	}
}

// TestScaleFromZero: with no worker anywhere a job is accepted and shows what it waits for, and the length of the queue is published at
// once. The worker that is then started as a task of ECS is protected while the job runs, finishes it when the task is stopped, and ends
// in order.
func TestScaleFromZero(t *testing.T) {
	requireHost(t)
	c := newCloud(t)
	eventually(t, "the empty queue is published", 10*time.Second, func() (bool, string) {
		v := c.metric(t, "PendingJobsCount")
		return v == 0, fmt.Sprint(v)
	})
	var submitted struct{ JobID string }
	// Long enough for AWS's command line to stop the task meanwhile, and within the longest time that a job may have.
	const source = "import time\nprint('begun', flush=True)\ntime.sleep(8)\nprint('done')"
	c.ask(t, "POST", "/v1/jobs", python(source, "timeoutMs", 15_000), &submitted, 202)
	var waiting struct{ Status, WaitingFor string }
	c.ask(t, "GET", "/v1/jobs/"+submitted.JobID, nil, &waiting, 200)
	if waiting.Status != "queued" || waiting.WaitingFor != "worker" {
		t.Errorf("the job is %+v, want it to wait for a worker", waiting)
	}
	// The interval is five minutes: only the submission can have published this.
	eventually(t, "the first job is published", 10*time.Second, func() (bool, string) {
		v := c.metric(t, "PendingJobsScaleSignal")
		return v == 26, fmt.Sprint(v)
	})
	if v := c.metric(t, "BacklogPerWorker"); v != 1 {
		t.Errorf("BacklogPerWorker is %v, want 1", v)
	}

	startPart(t, []string{"CCEE_SOCKET=" + c.socket(), "CCEE_IMAGES=" + images()}, binary, "daemon", "--cgroup", c.name)
	var started struct{ Tasks []struct{ TaskArn string } }
	c.awsCLI(t, &started, "ecs", "run-task", "--cluster", "main", "--task-definition", "ccee-worker", "--launch-type", "FARGATE",
		"--network-configuration", "awsvpcConfiguration={subnets=[subnet-1],securityGroups=[sg-1]}")
	task := c.edge.Tasks()[0]
	eventually(t, "the job runs", 30*time.Second, func() (bool, string) {
		c.ask(t, "GET", "/v1/jobs/"+submitted.JobID, nil, &waiting, 200)
		return waiting.Status == "running", waiting.Status
	})
	eventually(t, "the task is protected while it runs", 10*time.Second, func() (bool, string) { return task.Protected(), "" })
	var stopped struct{}
	c.awsCLI(t, &stopped, "ecs", "stop-task", "--cluster", "main", "--task", started.Tasks[0].TaskArn)
	patience.Receive(t, task.Done(), "the task stops")
	var ended jobObject
	c.ask(t, "GET", "/v1/jobs/"+submitted.JobID, nil, &ended, 200)
	if ended.Status != "succeeded" || ended.Result == nil || ended.Result.Stdout != "begun\ndone\n" {
		t.Errorf("the job of a task that was stopped: %+v, want its result", ended)
	}
	var described struct {
		Tasks []struct {
			Containers []struct{ ExitCode *int }
		}
	}
	c.awsCLI(t, &described, "ecs", "describe-tasks", "--cluster", "main", "--tasks", started.Tasks[0].TaskArn)
	if code := described.Tasks[0].Containers[0].ExitCode; code == nil || *code != 0 {
		t.Errorf("the worker's exit code is %v, want 0: it had time to drain", code)
	}
}

// TestReplayAsTask: the admin route starts a task that moves dead-lettered jobs back, and whose exit code says whether it could.
func TestReplayAsTask(t *testing.T) {
	c := newCloud(t)
	q, err := queue.Open(c.redis, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, id := range []string{"a", "b", "c"} {
		spec := job.Spec{ID: id, Tenant: "local", Language: "python", Source: "x"}
		if _, err := q.Submit(t.Context(), queue.Submission{Spec: spec, MaxAttempts: 1, MaxConcurrent: 10, MaxDaily: 10}); err != nil {
			t.Fatal(err)
		}
		lease, err := q.Claim(patience.Context(t), queue.Claimer{Worker: "w", Languages: []string{"python"}})
		if err != nil {
			t.Fatal(err)
		}
		if state, err := lease.Retry(t.Context(), queue.Fault{Message: "x", Cause: "x"}); err != nil || state != queue.Failed {
			t.Fatalf("%s, %v", state, err)
		}
	}
	var started struct {
		Status   string
		Tasks    []string
		Failures []any
	}
	c.ask(t, "POST", "/v1/admin/runbook/dlq", nil, &started, 200)
	if started.Status != "started" || len(started.Tasks) != 1 || len(started.Failures) != 0 {
		t.Fatalf("%+v, want one task", started)
	}
	patience.Receive(t, c.edge.Tasks()[0].Done(), "the task stops")
	var described struct {
		Tasks []struct {
			StoppedReason string
			Containers    []struct{ ExitCode *int }
		}
	}
	c.awsCLI(t, &described, "ecs", "describe-tasks", "--cluster", "main", "--tasks", started.Tasks[0])
	code := described.Tasks[0].Containers[0].ExitCode
	if code == nil || *code != 0 || !strings.Contains(c.tasks.String(), `"recovered":3`) {
		t.Errorf("exit code %v, and the task printed\n%s", code, c.tasks)
	}
	if counts, err := q.Counts(t.Context()); err != nil || counts.Waiting != 3 || counts.Dead != 0 {
		t.Errorf("%+v, %v; want three jobs that wait and none that is dead", counts, err)
	}
}
