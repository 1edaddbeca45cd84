// SPDX-License-Identifier: Apache-2.0

package ecstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// The names that the server knows.
const (
	Cluster   = "arn:aws:ecs:us-east-1:123456789012:cluster/test"
	Container = "runner"
)

// Definitions are the task definitions that the server knows, by tier.
var Definitions = map[string]string{
	"small":  "arn:aws:ecs:us-east-1:123456789012:task-definition/runner-small:1",
	"medium": "arn:aws:ecs:us-east-1:123456789012:task-definition/runner-medium:1",
	"large":  "arn:aws:ecs:us-east-1:123456789012:task-definition/runner-large:1",
}

// Refusal is an error answer of ECS, or, of RunTask, a failure in its answer.
type Refusal struct {
	Code    string // "ThrottlingException"; for a failure the reason, such as "RESOURCE:FARGATE"
	Message string
	Failure bool
}

// Server is a fake of ECS.
type Server struct {
	*httptest.Server
	t testing.TB

	// Run is a container: it gets the environment of the override, its context ends at SIGTERM, and it returns the exit code.
	Run func(ctx context.Context, env map[string]string) int
	// Refuse, if not nil, is asked before each call: spot tells of RunTask whether it is for Spot.
	Refuse func(op string, spot bool) *Refusal
	// Lose, if not nil, is asked after each call that was carried out: true breaks the connection off instead of an answer.
	Lose func(op string) bool
	// Stuck, if not nil, is asked for each new task: true keeps it in PROVISIONING.
	Stuck func(t *Task) bool
	// Late, if not nil, is asked at each DescribeTasks about each task: true means that it is not visible yet.
	Late func(t *Task) bool

	mu     sync.Mutex // guards the rest
	tasks  []*Task
	tokens map[string]launch
	calls  map[string]int
	wg     sync.WaitGroup
}

// launch is what a clientToken stands for.
type launch struct {
	request string
	tasks   []*Task
}

// New starts a server, which the end of the test ends with all of its containers.
func New(t testing.TB) *Server {
	s := &Server{t: t, tokens: map[string]launch{}, calls: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		for _, task := range s.Tasks() {
			s.Interrupt(task, "UserInitiated")
		}
		s.wg.Wait()
		s.Close()
	})
	return s
}

// Config is that of an SDK that talks to the server.
func (s *Server) Config() aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(s.URL), HTTPClient: s.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example"}, nil
		})}
}

// Calls returns how often an operation was asked for.
func (s *Server) Calls(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// operations are the handlers: each returns its answer.
var operations = map[string]func(*Server, []byte) (any, *Refusal){
	"RunTask": (*Server).runTask, "DescribeTasks": (*Server).describeTasks, "StopTask": (*Server).stopTask,
	"ListTasks": (*Server).listTasks,
}

// ServeHTTP answers one call of the JSON 1.1 protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, ours := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonEC2ContainerServiceV20141113.")
	handle := operations[op]
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || !ours ||
		handle == nil:
		s.refuse(w, &Refusal{Code: "UnknownOperationException"})
		return
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"):
		s.refuse(w, &Refusal{Code: "MissingAuthenticationToken"})
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has left
	}
	s.mu.Lock()
	s.calls[op]++
	s.mu.Unlock()
	var refused *Refusal
	var answer any
	if s.Refuse != nil {
		refused = s.Refuse(op, strings.Contains(string(body), "FARGATE_SPOT"))
	}
	if refused == nil {
		answer, refused = handle(s, body)
	}
	if refused != nil && refused.Failure {
		answer, refused = map[string]any{"tasks": []any{}, "failures": []any{map[string]string{"reason": refused.Code,
			"detail": refused.Message}}}, nil
	}
	if s.Lose != nil && s.Lose(op) {
		panic(http.ErrAbortHandler)
	}
	if refused != nil {
		s.refuse(w, refused)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.t.Errorf("answer %s: %v", op, err)
	}
}

func (s *Server) refuse(w http.ResponseWriter, r *Refusal) {
	status := http.StatusBadRequest
	if r.Code == "ServerException" {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": r.Code, "message": r.Message})
}

// decode reads a request, which may have no member that AWS doesn't know.
func decode(body []byte, into any) *Refusal {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &Refusal{Code: "SerializationException", Message: err.Error()}
	}
	return nil
}

func invalid(format string, args ...any) *Refusal {
	return &Refusal{Code: "InvalidParameterException", Message: fmt.Sprintf(format, args...)}
}

func client(format string, args ...any) *Refusal {
	return &Refusal{Code: "ClientException", Message: fmt.Sprintf(format, args...)}
}
