// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// runRequest is the body of RunTask, as far as it counts.
type runRequest struct {
	Cluster        string          `json:"cluster"`
	TaskDefinition string          `json:"taskDefinition"`
	Count          *int            `json:"count"`
	LaunchType     string          `json:"launchType"`
	Strategy       []strategyItem  `json:"capacityProviderStrategy"`
	ClientToken    string          `json:"clientToken"`
	StartedBy      string          `json:"startedBy"`
	Group          string          `json:"group"`
	Overrides      json.RawMessage `json:"overrides"`
	Network        *struct {
		VPC *struct {
			Subnets        []string `json:"subnets"`
			SecurityGroups []string `json:"securityGroups"`
		} `json:"awsvpcConfiguration"`
	} `json:"networkConfiguration"`
}

type strategyItem struct {
	Provider string `json:"capacityProvider"`
	Weight   int    `json:"weight"`
	Base     int    `json:"base"`
}

type overrides struct {
	Containers []struct {
		Name        string   `json:"name"`
		Command     []string `json:"command"`
		Environment []pair   `json:"environment"`
	} `json:"containerOverrides"`
}

// launched is what RunTask did for a client token.
type launched struct {
	request string
	tasks   []*Task
}

// Bounds that the model's text has.
const (
	mostOverrides   = 8192
	mostTasks       = 10
	mostToken       = 64
	mostStartedBy   = 128
	mostSubnets     = 16
	mostGroups      = 5
	mostProviders   = 20
	defaultCluster  = "default"
	region, account = "eu-central-1", "123456789012"
)

var (
	tokenText     = regexp.MustCompile(`^[!-~]*$`) // characters 33 to 126
	startedByText = regexp.MustCompile(`^[A-Za-z0-9/_-]*$`)
)

func (e *Edge) runTask(body []byte) (any, error) {
	if !e.calls.take(1) {
		return nil, refuse(throttling, "Rate exceeded")
	}
	var in runRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, invalid("%v", err)
	}
	cluster, err := e.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if tasks, err := e.again(&in, body); tasks != nil || err != nil {
		return described(tasks), err
	}
	def, err := e.definition(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	o, err := in.check(def)
	if err != nil {
		return nil, err
	}
	provider := in.provider()
	spot := provider == "FARGATE_SPOT"
	limit := e.owned
	if spot {
		limit = e.spot
	}
	if !limit.take(float64(in.count())) {
		return nil, refuse(throttling, "Rate exceeded")
	}
	if spot && e.dice.roll(e.o.Faults.NoCapacity) {
		return map[string]any{"tasks": []any{}, "failures": []any{map[string]string{
			"reason": "Capacity is unavailable at this time. Please try again later or in a different availability zone",
		}}}, nil
	}
	tasks := e.launch(&in, string(body), cluster, def, o, provider)
	return described(tasks), nil
}

// again finds the tasks that a request with that client token started before.
func (e *Edge) again(in *runRequest, body []byte) ([]*Task, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before, ok := e.tokens[in.ClientToken]
	switch {
	case in.ClientToken == "" || !ok:
		return nil, nil
	case before.request != string(body):
		arns := []string{}
		for _, t := range before.tasks {
			arns = append(arns, t.Arn)
		}
		return nil, &refusal{"ConflictException", "the client token was used for another request", map[string]any{"resourceIds": arns}}
	}
	return before.tasks, nil
}

func (in *runRequest) count() int {
	if in.Count == nil {
		return 1
	}
	return *in.Count
}

func (in *runRequest) provider() string {
	if len(in.Strategy) > 0 {
		first := func(a, b strategyItem) int { return cmp.Or(a.Base-b.Base, a.Weight-b.Weight) }
		return slices.MaxFunc(in.Strategy, first).Provider
	}
	return in.LaunchType
}

// check holds the request to the rules that AWS's text has.
func (in *runRequest) check(def Definition) (o overrides, err error) {
	switch n := in.count(); {
	case n < 1 || n > mostTasks:
		return o, invalid("count %d is not from 1 to %d", n, mostTasks)
	case in.LaunchType != "" && len(in.Strategy) > 0:
		return o, invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case len(in.Strategy) > mostProviders:
		return o, invalid("%d capacity providers, at most %d", len(in.Strategy), mostProviders)
	case len(in.ClientToken) > mostToken || !tokenText.MatchString(in.ClientToken):
		return o, invalid("clientToken is not up to %d characters from 33 to 126", mostToken)
	case len(in.StartedBy) > mostStartedBy || !startedByText.MatchString(in.StartedBy):
		return o, invalid("startedBy is not up to %d letters, digits, -, / and _", mostStartedBy)
	case in.fargate() && !slices.Contains(def.Compatible, "FARGATE"):
		return o, invalid("Task definition does not support launch_type FARGATE.")
	}
	for _, s := range in.Strategy {
		if s.Provider != "FARGATE" && s.Provider != "FARGATE_SPOT" {
			return o, invalid("The specified capacity provider '%s' was not found.", s.Provider)
		}
	}
	if err := in.checkNetwork(def); err != nil {
		return o, err
	}
	return in.checkOverrides(def)
}

func (in *runRequest) fargate() bool {
	return in.LaunchType == "FARGATE" || len(in.Strategy) > 0 && strings.HasPrefix(in.provider(), "FARGATE")
}

func (in *runRequest) checkNetwork(def Definition) error {
	given := in.Network != nil && in.Network.VPC != nil
	switch {
	case def.NetworkMode == "awsvpc" && !given:
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case def.NetworkMode != "awsvpc" && given:
		return invalid("Network Configuration is not valid for the given networkMode of this task definition.")
	case given && (len(in.Network.VPC.Subnets) == 0 || len(in.Network.VPC.Subnets) > mostSubnets):
		return invalid("%d subnets, want 1 to %d", len(in.Network.VPC.Subnets), mostSubnets)
	case given && len(in.Network.VPC.SecurityGroups) > mostGroups:
		return invalid("%d security groups, at most %d", len(in.Network.VPC.SecurityGroups), mostGroups)
	}
	return nil
}

func (in *runRequest) checkOverrides(def Definition) (o overrides, err error) {
	if in.Overrides == nil {
		return o, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, in.Overrides); err != nil {
		return o, invalid("overrides: %v", err)
	}
	if n := utf8.RuneCount(compact.Bytes()); n > mostOverrides {
		return o, invalid("Container Overrides length must be at most %d, these have %d", mostOverrides, n)
	}
	if err := json.Unmarshal(in.Overrides, &o); err != nil {
		return o, invalid("overrides: %v", err)
	}
	for _, c := range o.Containers {
		if !slices.ContainsFunc(def.Containers, func(d Container) bool { return d.Name == c.Name }) {
			return o, invalid("Override for container named %s is not a container in the TaskDefinition.", c.Name)
		}
	}
	return o, nil
}

// shortName is the name in an ARN, or the name itself.
func shortName(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// cluster is the name in a name or an ARN.
func (e *Edge) cluster(name string) (string, error) {
	name = shortName(name)
	if name == "" {
		name = defaultCluster
	}
	if !slices.ContainsFunc(e.o.Clusters, func(c string) bool { return shortName(c) == name }) {
		return "", refuse("ClusterNotFoundException", "Cluster not found.")
	}
	return name, nil
}

// definition finds a task definition by family, family:revision or ARN.
func (e *Edge) definition(name string) (Definition, error) {
	family, _, _ := strings.Cut(shortName(name), ":")
	if d, ok := e.o.Definitions[family]; ok {
		if d.Arn == "" {
			d.Arn = fmt.Sprintf("arn:aws:ecs:%s:%s:task-definition/%s:1", region, account, family)
		}
		d.Family = family
		return d, nil
	}
	missing := refuse("ClientException", "Unable to describe task definition.")
	if e.o.Next == nil {
		return Definition{}, missing
	}
	body, err := json.Marshal(map[string]string{"taskDefinition": name})
	if err != nil {
		return Definition{}, err
	}
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", target+"DescribeTaskDefinition")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sign(r.Header, "ecs")
	w := httptest.NewRecorder()
	e.o.Next.ServeHTTP(w, r)
	var out struct {
		TaskDefinition Definition `json:"taskDefinition"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK || out.TaskDefinition.Arn == "" {
		return Definition{}, missing
	}
	return out.TaskDefinition, nil
}

// sign has a request look as if it were signed. By the scope moto knows the service; the signature it does not check.
func sign(h http.Header, service string) {
	scope := "test/20260101/" + region + "/" + service + "/aws4_request"
	h.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+scope+", SignedHeaders=host, Signature=0")
}
