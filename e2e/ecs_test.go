// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/cloud/ecs/ecstest"
	"github.com/ccee-dev/ccee/e2e/patience"
)

// ecsStack is an api behind TLS, a worker with EXECUTION_BACKEND=ecs and a fake ECS, whose containers are processes ccee task.
type ecsStack struct {
	stack
	aws   *ecstest.Server
	outer *httptest.Server // the load balancer, which ends TLS
	ca    string
	tasks atomic.Int64
}

func newECSStack(t *testing.T) *ecsStack {
	t.Helper()
	requireHost(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-ecs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &ecsStack{stack: stack{url: "http://" + freePort(t), name: cgroupName("ecs")}, aws: ecstest.New(t)}
	inner, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	s.outer = httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(inner))
	t.Cleanup(s.outer.Close)
	s.ca = filepath.Join(dir, "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.outer.Certificate().Raw})
	if err := os.WriteFile(s.ca, block, 0o644); err != nil {
		t.Fatal(err)
	}
	s.aws.Run = func(ctx context.Context, env map[string]string) int { return s.container(t, ctx, env) }

	startPart(t, nil, "redis-server", "--port", "0", "--unixsocket", filepath.Join(dir, "redis.sock"), "--dir", dir, "--save", "")
	env := []string{"REDIS_URL=unix://" + filepath.Join(dir, "redis.sock")}
	startPart(t, append(env, "CCEE_TASK_ROUTES=true", `TENANT_API_KEYS_JSON={"`+key+`":{"tenantId":"e2e","maxConcurrentJobs":20}}`),
		binary, "api", "--listen", strings.TrimPrefix(s.url, "http://"))
	startPart(t, append(env, "EXECUTION_BACKEND=ecs", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+s.aws.URL,
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY=example", "AWS_EC2_METADATA_DISABLED=true", "ECS_CLUSTER_ARN="+ecstest.Cluster, "ECS_SUBNET_IDS=subnet-1",
		"ECS_TASK_DEFINITION_ARN="+ecstest.Definitions["small"], "ECS_SECURITY_GROUP_IDS=sg-1", "CCEE_TASK_URL="+s.outer.URL), binary,
		"worker")
	eventually(t, "the api is ready", 30*time.Second, s.answers("/ready", 200))
	return s
}

// container runs ccee task as ECS would, until SIGTERM.
func (s *ecsStack) container(t *testing.T, ctx context.Context, env map[string]string) int {
	var log bytes.Buffer
	cmd := exec.Command(binary, "task")
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CCEE_IMAGES=" + images(), "CCEE_TASK_CA=" + s.ca, fmt.Sprintf("CCEE_CGROUP=%s-%d",
		s.name, s.tasks.Add(1))}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return 127
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	_ = cmd.Wait()
	if strings.Contains(log.String(), env["CCEE_TASK_TOKEN"]) {
		t.Error("the task's log has its token")
	}
	t.Logf("a task ended with %d:\n%s", cmd.ProcessState.ExitCode(), log.String())
	return cmd.ProcessState.ExitCode()
}

// show returns some members of a job object.
func (s *ecsStack) show(t *testing.T, id string) (got struct {
	Status, ComputeTier, PurchaseOption, ExecutionEnvironment string
	Attempts                                                  struct{ Made int }
}) {
	t.Helper()
	_, answer, err := s.request("GET", "/v1/jobs/"+id, key, nil)
	if err == nil {
		err = json.Unmarshal(answer, &got)
	}
	if err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	return got
}

// A job of any size runs in a task of its own, over TLS, with live output.
func TestECSJob(t *testing.T) {
	s := newECSStack(t)
	source := "import sys, time\nprint('live', flush=True)\ntime.sleep(1.5)\nprint(len(sys.stdin.read()))\n"
	source += "#" + strings.Repeat("x", 100_000-len(source)-1)
	id := s.submit(t, body{"language": "python", "sourceCode": source, "stdin": strings.Repeat("y", 100_000)})

	req, err := http.NewRequestWithContext(patience.Context(t), "GET", s.url+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	resp, err := rest.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	live := false
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), `live\n`) { // the first time; the result has it too
			live = s.show(t, id).Status == "dispatched"
			break
		}
	}
	if !live {
		t.Error("no live output while the job was dispatched")
	}
	j, err := s.await(id, 2*patience.Long())
	if err != nil || j.Status != "succeeded" || j.Result.Stdout != "live\n100000\n" {
		t.Fatalf("%+v, %v", j, err)
	}
	if got := s.show(t, id); got.ComputeTier != "small" || got.PurchaseOption != "spot" ||
		got.ExecutionEnvironment != "ecs-fargate-runner" || got.Attempts.Made != 1 {
		t.Errorf("%+v", got)
	}
	patience.Receive(t, s.aws.Tasks()[0].Ended(), "the task ends by itself")
	if code := s.aws.StopCode(s.aws.Tasks()[0]); code != "EssentialContainerExited" {
		t.Errorf("the task was ended by %s", code)
	}
}

// Spot capacity that is taken away in the middle: the job runs again, at once, and loses no attempt.
func TestECSInterruption(t *testing.T) {
	s := newECSStack(t)
	id := s.submit(t, body{"language": "python", "sourceCode": "import time\ntime.sleep(2.5)\nprint('done')", "timeoutMs": 10_000})
	eventually(t, "the job is dispatched", 30*time.Second, func() (bool, string) {
		got := s.show(t, id)
		return got.Status == "dispatched", got.Status
	})
	s.aws.Interrupt(s.aws.Tasks()[0], "SpotInterruption")
	j, err := s.await(id, 2*patience.Long())
	if err != nil || j.Status != "succeeded" || j.Result.Stdout != "done\n" {
		t.Fatalf("%+v, %v", j, err)
	}
	if got := s.show(t, id); got.Attempts.Made != 1 || len(s.aws.Tasks()) != 2 {
		t.Errorf("%+v in %d tasks, want one attempt in two", got, len(s.aws.Tasks()))
	}
}

// A cancelled job's task ends.
func TestECSCancelled(t *testing.T) {
	s := newECSStack(t)
	id := s.submit(t, body{"language": "python", "sourceCode": "import time\nprint('before', flush=True)\ntime.sleep(9)",
		"timeoutMs": 10_000})
	eventually(t, "the job is dispatched", 30*time.Second, func() (bool, string) {
		got := s.show(t, id)
		return got.Status == "dispatched", got.Status
	})
	if status, answer, err := s.request("DELETE", "/v1/jobs/"+id, key, nil); err != nil || status/100 != 2 {
		t.Fatalf("cancel: %d %s, %v", status, answer, err)
	}
	if j, err := s.await(id, 2*patience.Long()); err != nil || j.Status != "cancelled" {
		t.Fatalf("%+v, %v", j, err)
	}
	patience.Receive(t, s.aws.Tasks()[0].Ended(), "the task ends")
}
