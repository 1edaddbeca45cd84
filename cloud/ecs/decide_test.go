// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

func TestTierFor(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		millicores, memory int64
		want               Tier
	}{
		{1, mib, Small}, {256, 384 * mib, Small}, {257, mib, Medium}, {256, 385 * mib, Medium}, {512, 896 * mib, Medium}, {513, mib, Large},
		{1, 897 * mib, Large}, {1024, 1920 * mib, Large}, {1025, mib, ""}, {1, 1921 * mib, ""},
	} {
		if got, err := TierFor(tt.millicores, tt.memory); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("TierFor(%d, %d MiB) = %q, %v, want %q", tt.millicores, tt.memory/mib, got, err, tt.want)
		}
	}
}

// The texts are AWS's: "Amazon ECS API failure reasons", "Stopped tasks error messages", "AWS Fargate quotas", the RunTask reference.
func TestClassifyError(t *testing.T) {
	for _, tt := range []struct {
		code, message string
		fault         smithy.ErrorFault
		want          Class
	}{
		{"ThrottlingException", "Rate exceeded", smithy.FaultClient, Throttled},
		{"ClientException", "Rate exceeded", smithy.FaultClient, Throttled},
		{"ClientException", "You've reached the limit on the number of vCPUs you can run concurrently", smithy.FaultClient, Quota},
		{"ClientException", "You've reached the limit on the number of tasks you can run concurrently", smithy.FaultClient, Quota},
		{"ClientException", "The number of tasks in the PROVISIONING state for the cluster has reached its quota", smithy.FaultClient,
			Quota},
		{"LimitExceededException", "x", smithy.FaultClient, Quota},
		{"ClientException", "Capacity is unavailable at this time. Please try again later or in a different availability zone",
			smithy.FaultClient, Capacity},
		{"ServerException", "x", smithy.FaultServer, Lost},
		{"SomethingNew", "x", smithy.FaultServer, Lost},
		{"ConflictException", "The provided clientToken is already in use", smithy.FaultClient, Conflict},
		{"AccessDeniedException", "User is not authorized to perform: ecs:RunTask", smithy.FaultClient, Refused},
		{"InvalidParameterException", "Capacity provider x was not found", smithy.FaultClient, Refused},
		{"ClusterNotFoundException", "Cluster not found.", smithy.FaultClient, Refused},
		{"ClientException", "TaskDefinition not found.", smithy.FaultClient, Refused},
		{"BlockedException", "Your account was blocked", smithy.FaultClient, Refused},
	} {
		err := &smithy.OperationError{Err: &smithy.GenericAPIError{Code: tt.code, Message: tt.message, Fault: tt.fault}}
		if got := classifyError(err); got != tt.want {
			t.Errorf("%s %q is %s, want %s", tt.code, tt.message, got, tt.want)
		}
	}
	if got := classifyError(errors.New("connection reset by peer")); got != Lost {
		t.Errorf("no answer is %s, want %s", got, Lost)
	}
}

func TestClassifyFailures(t *testing.T) {
	for reason, want := range map[string]Class{"RESOURCE:FARGATE": Capacity, "RESOURCE:ENI": Capacity, "RESOURCE:MEMORY": Capacity,
		"MISSING":  Refused,
		"INACTIVE": Refused, "Capacity is unavailable at this time. Please try again later or in a different availability zone": Capacity} {
		if got := classifyFailures([]types.Failure{{Reason: &reason}}); got.Class != want || !strings.Contains(got.Error(), reason) {
			t.Errorf("%s is %v, want %s", reason, got, want)
		}
	}
	if got := classifyFailures(nil); got.Class != Lost {
		t.Errorf("neither task nor failure is %s, want %s", got.Class, Lost)
	}
}

func TestPauseAfter(t *testing.T) {
	least, most := func(int64) int64 { return 0 }, func(k int64) int64 { return k - 1 }
	for _, tt := range []struct {
		c      Class
		n      int
		lo, hi time.Duration
	}{
		{Throttled, 1, time.Second / 2, time.Second}, {Throttled, 3, 2 * time.Second, 4 * time.Second}, {Throttled, 99,
			15 * time.Second, 30 * time.Second},
		{Quota, 1, 5 * time.Second, 10 * time.Second}, {Quota, 99, time.Minute, 2 * time.Minute}, {Capacity, 2, 10 * time.Second,
			20 * time.Second},
		{Lost, 1, time.Second / 4, time.Second / 2},
	} {
		lo, again := pauseAfter(tt.c, tt.n, least)
		hi, _ := pauseAfter(tt.c, tt.n, most)
		if lo != tt.lo || hi != tt.hi || !again {
			t.Errorf("pause after %s number %d: %v to %v, %v; want %v to %v", tt.c, tt.n, lo, hi, again, tt.lo, tt.hi)
		}
	}
	for _, c := range []Class{Refused, Conflict, ""} {
		if _, again := pauseAfter(c, 1, most); again {
			t.Errorf("%q is asked again", c)
		}
	}
}

func TestSpotState(t *testing.T) {
	start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	type step struct {
		after time.Duration // since start
		do    string
		spot  bool // for choose
	}
	for name, steps := range map[string][]step{
		"open":                        {{0, "choose", true}, {0, "choose", true}},
		"two failures change nothing": {{0, "failed", false}, {0, "failed", false}, {0, "choose", true}},
		"success forgets failures": {{0, "failed", false}, {0, "failed", false}, {0, "worked", false}, {0, "failed", false}, {0,
			"choose", true}},
		"rests after three": {{0, "failed", false}, {0, "failed", false}, {0, "failed", false}, {0, "choose", false},
			{spotRest - 1, "choose", false}},
		"one tries again": {{0, "failed", false}, {0, "failed", false}, {0, "failed", false}, {spotRest, "choose", true}, {spotRest,
			"choose", false},
			{spotRest + spotProbe - 1, "choose", false}},
		"it works again": {{0, "failed", false}, {0, "failed", false}, {0, "failed", false}, {spotRest, "choose", true}, {spotRest + 1,
			"worked", false},
			{spotRest + 1, "choose", true}, {spotRest + 1, "choose", true}},
		"it fails again": {{0, "failed", false}, {0, "failed", false}, {0, "failed", false}, {spotRest, "choose", true}, {spotRest + 1,
			"failed", false},
			{spotRest + 2, "choose", false}, {2 * spotRest, "choose", false}, {2*spotRest + 1, "choose", true}},
		"nothing is heard of it": {{0, "failed", false}, {0, "failed", false}, {0, "failed", false}, {spotRest, "choose", true},
			{spotRest + spotProbe, "choose", true}},
	} {
		var s spotState
		for i, st := range steps {
			now := start.Add(st.after)
			switch st.do {
			case "failed":
				s = s.failed(now)
			case "worked":
				s = s.worked()
			case "choose":
				var spot bool
				if s, spot = s.choose(now); spot != st.spot {
					t.Errorf("%s, step %d: spot %v, want %v", name, i, spot, st.spot)
				}
			}
		}
	}
}

// RunTask: clientToken up to 64 characters in the range of 33-126; startedBy up to 128 of A-Z a-z 0-9 - / _.
func TestNames(t *testing.T) {
	token, by := regexp.MustCompile(`^[!-~]{1,64}$`), regexp.MustCompile(`^[A-Za-z0-9/_-]{1,128}$`)
	tokens, names := map[string]bool{}, map[string]bool{}
	for _, id := range []string{"6f1c2d3e-0000-4000-8000-123456789abc", "a.b", "a:b", "a_b", strings.Repeat("x", 128),
		strings.Repeat("x", 124), strings.Repeat("y", 128), "a"} {
		name := StartedBy(id)
		if !by.MatchString(name) || names[name] {
			t.Errorf("startedBy of %s is %q", id, name)
		}
		names[name] = true
		for _, n := range []int64{1, 2, 1 << 60} {
			for _, p := range []Purchase{Spot, OnDemand} {
				got := clientToken(Launch{Job: id, Number: n}, p)
				if !token.MatchString(got) || tokens[got] {
					t.Errorf("clientToken of %s %d %s is %q", id, n, p, got)
				}
				tokens[got] = true
			}
		}
	}
	if got := StartedBy("6f1c2d3e-0000-4000-8000-123456789abc"); got != "job-6f1c2d3e-0000-4000-8000-123456789abc" {
		t.Errorf("startedBy %q, want the contract's job-<jobId>", got)
	}
}

func TestOrphans(t *testing.T) {
	task := func(arn, by string) types.Task { return types.Task{TaskArn: &arn, StartedBy: &by} }
	now := time.Now()
	tasks := []types.Task{task("service", "ecs-svc/1"), task("operator", ""), task("dead", "job-dead"), task("live", "job-live"),
		task("older", "job-live"),
		task("unknown", "job-new"), task("hashed", StartedBy("a.b"))}
	live := map[string]string{"live": "live", "new": "", "a.b": "hashed"}
	orphans := map[string]time.Time{}
	if got := due(tasks, live, orphans, now); len(got) != 0 {
		t.Errorf("stopped at the first look: %v", got)
	}
	if got := due(tasks, live, orphans, now.Add(reapGrace-1)); len(got) != 0 {
		t.Errorf("stopped too early: %v", got)
	}
	if got := due(tasks, live, orphans, now.Add(reapGrace)); !slices.Equal(got, []string{"dead", "older"}) {
		t.Errorf("stopped %v, want the task of a job that nobody waits for and an older one of another", got)
	}
	// One whose worker is there again after an outage is none any more.
	live["dead"] = "dead"
	due(tasks, live, orphans, now.Add(reapGrace))
	delete(live, "dead")
	if got := due(tasks, live, orphans, now.Add(reapGrace+1)); slices.Contains(got, "dead") {
		t.Error("a task that was live meanwhile was stopped at once")
	}
}

func TestConfigCheck(t *testing.T) {
	good := testConfig()
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"ECS_CLUSTER_ARN":                func(c *Config) { c.Cluster = "" },
		"ECS_TASK_DEFINITION_ARN_MEDIUM": func(c *Config) { c.Definitions = map[Tier]string{Small: "x", Large: "x"} },
		"ECS_SUBNET_IDS has 0":           func(c *Config) { c.Subnets = nil },
		"ECS_SUBNET_IDS has 17":          func(c *Config) { c.Subnets = make([]string, 17) },
		"ECS_SECURITY_GROUP_IDS":         func(c *Config) { c.SecurityGroups = make([]string, 6) },
		"ECS_RUNNER_CONTAINER_NAME":      func(c *Config) { c.Container = "" },
		"deadlines":                      func(c *Config) { c.SpotDeadline = 0 },
	} {
		c := testConfig()
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want an error with %s", err, want)
		}
	}
}
