// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const taskARN = "arn:aws:ecs:us-west-2:111122223333:task/1234567890abcdef0"

// fakeAgent is an ECS agent as "Amazon ECS task scale-in protection endpoint" and "task metadata endpoint version 4" of the developer guide
// describe it. What it does not know fails the test.
type fakeAgent struct {
	*httptest.Server
	sent   []string // bodies of PUT
	status int      // of the next answers; 0: as AWS answers
	answer string   // if status is set
}

func newFakeAgent(t *testing.T) *fakeAgent {
	a := &fakeAgent{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer := a.answer
		switch r.Method + " " + r.URL.String() {
		case "PUT /api/0f1e/task-protection/v1/state":
			a.sent = append(a.sent, string(body))
			if answer == "" {
				answer = a.protect(t, r.Header.Get("Content-Type"), body)
			}
		case "GET /v4/0f1e/task":
			if len(body) > 0 {
				t.Errorf("GET with the body %q", body)
			}
			if answer == "" {
				answer = metadata
			}
		default:
			t.Errorf("%s %s is no endpoint of the agent", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(max(a.status, http.StatusOK))
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(a.Close)
	return a
}

// protect checks a request as the agent and UpdateTaskProtection do, and answers it.
func (a *fakeAgent) protect(t *testing.T, contentType string, body []byte) string {
	var request struct {
		ProtectionEnabled *bool
		ExpiresInMinutes  *int
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	err := d.Decode(&request)
	if err != nil || contentType != "application/json" || request.ProtectionEnabled == nil {
		t.Errorf("body %q of type %q: %v", body, contentType, err)
		return `{}`
	}
	if !*request.ProtectionEnabled {
		return `{"protection":{"ExpirationDate":null,"ProtectionEnabled":false,"TaskArn":"` + taskARN + `"}}`
	}
	minutes := 120
	if request.ExpiresInMinutes != nil {
		minutes = *request.ExpiresInMinutes
	}
	if minutes < 1 || minutes > 2880 {
		t.Errorf("ExpiresInMinutes is %d", minutes)
	}
	return fmt.Sprintf(`{"protection":{"ExpirationDate":%q,"ProtectionEnabled":true,"TaskArn":%q}}`,
		time.Now().Add(time.Duration(minutes)*time.Minute).UTC().Format(time.RFC3339), taskARN)
}

// metadata is as in the developer guide's example for Fargate, shortened.
const metadata = `{"Cluster":"arn:aws:ecs:us-west-2:111122223333:cluster/default","TaskARN":"` + taskARN + `","Family":"ccee-worker",
"ServiceName":"ccee-worker","Revision":"7","DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Limits":{"CPU":0.25,"Memory":512},
"PullStartedAt":"2026-01-01T00:00:00.5Z","AvailabilityZone":"us-west-2d","LaunchType":"FARGATE","VPCID":"vpc-1",
"Containers":[{"DockerId":"0f1e","Name":"worker","Limits":{"CPU":256,"Memory":512},"Networks":[{"NetworkMode":"awsvpc"}]}],
"ClockDrift":{"ClockErrorBound":0.5,"ReferenceTimestamp":"2026-01-01T00:00:00Z","ClockSynchronizationStatus":"SYNCHRONIZED"}}`

func (a *fakeAgent) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(a.URL+"/api/0f1e", a.URL+"/v4/0f1e")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestProtect(t *testing.T) {
	a := newFakeAgent(t)
	c := a.client(t)
	until, err := c.Protect(t.Context(), 10)
	if left := time.Until(until); err != nil || left < 8*time.Minute || left > 10*time.Minute {
		t.Errorf("until %v, %v; want ten minutes", until, err)
	}
	if until, err := c.Protect(t.Context(), 0); err != nil || !until.IsZero() {
		t.Errorf("release: %v, %v", until, err)
	}
	for _, minutes := range []int{-1, 2881} {
		if _, err := c.Protect(t.Context(), minutes); err == nil {
			t.Errorf("%d minutes are asked for", minutes)
		}
	}
	for _, minutes := range []int{1, 2880} {
		if _, err := c.Protect(t.Context(), minutes); err != nil {
			t.Error(err)
		}
	}
	want := `{"ProtectionEnabled":true,"ExpiresInMinutes":10} {"ProtectionEnabled":false} ` +
		`{"ProtectionEnabled":true,"ExpiresInMinutes":1} {"ProtectionEnabled":true,"ExpiresInMinutes":2880}`
	if got := strings.ReplaceAll(strings.Join(a.sent, " "), "\n", ""); got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

// Every answer but a protection is an error that names the cause: a failure has the status 200.
func TestProtectRefused(t *testing.T) {
	a := newFakeAgent(t)
	c := a.client(t)
	for _, tt := range []struct {
		status       int
		answer, want string
	}{
		{200, `{"failure":{"Arn":"` + taskARN + `","Reason":"DEPLOYMENT_BLOCKED","Detail":"a deployment waits"}}`, "DEPLOYMENT_BLOCKED"},
		{200, `{"failure":{"Arn":"` + taskARN + `","Reason":"TASK_NOT_VALID"}}`, "TASK_NOT_VALID"},
		{400, `{"requestID":"1","error":{"Arn":"` + taskARN + `","Code":"AccessDeniedException","Message":"no"}}`, "AccessDeniedException"},
		{403, `{"error":{"Code":"AccessDeniedException","Message":"no task IAM role credentials available for task"}}`, "no task IAM role"},
		{429, `{"error":{"Code":"ThrottlingException","Message":"Rate exceeded"}}`, "ThrottlingException"},
		{500, `{"error":{"Code":"ServerException","Message":"x"}}`, "ServerException"},
		{504, `gateway`, "504"},
		{200, `{}`, "200"},
		{200, `null`, "200"},
		{302, `{}`, "302"},
		{500, `{"protection":{"ProtectionEnabled":true,"ExpirationDate":"2026-01-01T00:00:00Z"}}`, "500"},
		{200, `{"protection":{"ProtectionEnabled":true}}`, "ExpirationDate"},
		{200, `{"protection":{"ProtectionEnabled":false,"TaskArn":"` + taskARN + `"}}`, "ProtectionEnabled is false"},
		{200, `{"protection":` + strings.Repeat(" ", maxAnswer) + `{}}`, "more than"},
	} {
		a.status, a.answer = tt.status, tt.answer
		if _, err := c.Protect(t.Context(), 10); err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 600 {
			t.Errorf("%d %.200s: %v, want an error with %s", tt.status, tt.answer, err, tt.want)
		}
	}
}

func TestTask(t *testing.T) {
	a := newFakeAgent(t)
	c := a.client(t)
	want := Task{Cluster: "arn:aws:ecs:us-west-2:111122223333:cluster/default", TaskARN: taskARN, Family: "ccee-worker", Revision: "7",
		DesiredStatus: "RUNNING", KnownStatus: "RUNNING", LaunchType: "FARGATE", AvailabilityZone: "us-west-2d", ServiceName: "ccee-worker",
		Limits: Limits{CPU: 0.25, Memory: 512}}
	if got, err := c.Task(t.Context()); err != nil || got != want {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	for _, tt := range []struct {
		status int
		answer string
	}{{500, `x`}, {404, metadata}, {200, `{`}, {200, `{"TaskARN":"x"}`}, {200, `[]`}} {
		a.status, a.answer = tt.status, tt.answer
		if _, err := c.Task(t.Context()); err == nil {
			t.Errorf("%d %.40s is no error", tt.status, tt.answer)
		}
	}
}

// Outside of ECS there is no client; what ECS does not set is an error of what needs it, and another address than an agent's is refused.
func TestAddresses(t *testing.T) {
	if c, err := New("", ""); c != nil || err != nil {
		t.Errorf("outside of ECS: %v, %v", c, err)
	}
	for _, uri := range []string{"https://169.254.170.2/x", "169.254.170.2", "http://", "http://u:p@h/", "http://h/?q", "http://h/#f",
		"file:///x", "http://[/"} {
		if _, err := New(uri, ""); err == nil {
			t.Errorf("%s is taken for an agent", uri)
		}
		if _, err := New("", uri); err == nil {
			t.Errorf("%s is taken for an agent", uri)
		}
	}
	c, err := New("http://127.0.0.1:1/api/x", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Task(t.Context()); err == nil || !strings.Contains(err.Error(), "did not set") {
		t.Errorf("metadata without an address: %v", err)
	}
}

// The agent's address is never asked of a proxy: the proxy would get the task's requests.
func TestNoProxy(t *testing.T) {
	a := newFakeAgent(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if _, err := a.client(t).Task(t.Context()); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(200, []byte(metadata))
	f.Add(200, []byte(`{"protection":{"ExpirationDate":"2026-01-01T00:00:00Z","ProtectionEnabled":true,"TaskArn":"`+taskARN+`"}}`))
	f.Add(200, []byte(`{"failure":{"Reason":"DEPLOYMENT_BLOCKED","Detail":null}}`))
	f.Add(400, []byte(`{"requestID":"1","error":{"Code":"AccessDeniedException"}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if task, err := parseTask(body); err == nil && !strings.HasPrefix(task.TaskARN, "arn:") {
			t.Errorf("%q is a task with the ARN %q", body, task.TaskARN)
		}
		p, err := parseProtection(status, body)
		if err == nil && (status != 200 || p.ProtectionEnabled && p.ExpirationDate == nil) {
			t.Errorf("%d %q is %+v", status, body, p)
		}
		if err != nil && len(err.Error()) > 4096 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	})
}
