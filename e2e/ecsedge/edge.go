// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configures an Edge. Model and Start are needed, and the URL if a task is to find its agent.
type Options struct {
	Model       *Model
	Next        http.Handler          // answers other calls, and has task definitions: moto, by a reverse proxy; may be nil
	Definitions map[string]Definition // by family; asked before Next
	Clusters    []string              // their names or ARNs; other clusters are ClusterNotFoundException
	Start       func(Launch) (Process, error)
	URL         string // where tasks reach this Edge
	Faults      Faults

	Rung       time.Duration // how long a task stays in each state that isn't RUNNING; 0: no longer than it takes to note it
	Visible    time.Duration // how long after RunTask other calls don't know the task: ECS is eventually consistent
	Keep       time.Duration // how long a stopped task is known; 0: an hour, as in ECS
	CallRate   float64       // RunTask calls a second, and as many at once; 0: 20
	LaunchRate float64       // Fargate tasks a second; 0: 20, with LaunchBurst 0: 100
	LaunchAt   float64
	StopWithin time.Duration // between SIGTERM and SIGKILL where the definition doesn't say; 0: 30 s
}

// Definition is the part of a task definition that counts here.
type Definition struct {
	Arn           string      `json:"taskDefinitionArn"`
	Family        string      `json:"family"`
	NetworkMode   string      `json:"networkMode"`
	CPU           string      `json:"cpu"`
	Memory        string      `json:"memory"`
	Compatible    []string    `json:"requiresCompatibilities"`
	Containers    []Container `json:"containerDefinitions"`
	ExecutionRole string      `json:"executionRoleArn"`
	TaskRole      string      `json:"taskRoleArn"`
}

// Container is the part of a container definition that counts here.
type Container struct {
	Name        string   `json:"name"`
	Image       string   `json:"image"`
	Command     []string `json:"command"`
	EntryPoint  []string `json:"entryPoint"`
	Environment []pair   `json:"environment"`
	User        string   `json:"user"`
	ReadOnly    bool     `json:"readonlyRootFilesystem"`
	Privileged  bool     `json:"privileged"`
	StopTimeout int      `json:"stopTimeout"` // seconds
}

type pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Edge is an http.Handler that is ECS for the worker and for tasks.
type Edge struct {
	o     Options
	dice  *dice
	calls *bucket // of RunTask
	spot  *bucket // launches of each kind
	owned *bucket

	mu     sync.Mutex
	tasks  map[string]*Task // by ARN
	order  []*Task          // as they were started
	tokens map[string]launched
	wrong  []string
	count  map[string]int // calls by operation
	ended  sync.WaitGroup
}

// New returns an Edge. Close ends its tasks.
func New(o Options) *Edge {
	o.Keep = cmp.Or(o.Keep, time.Hour)
	o.CallRate = cmp.Or(o.CallRate, 20)
	o.LaunchRate = cmp.Or(o.LaunchRate, 20)
	o.LaunchAt = cmp.Or(o.LaunchAt, 100)
	o.StopWithin = cmp.Or(o.StopWithin, 30*time.Second)
	return &Edge{
		o: o, dice: newDice(o.Faults.Seed),
		calls: newBucket(o.CallRate, o.CallRate), spot: newBucket(o.LaunchRate, o.LaunchAt), owned: newBucket(o.LaunchRate, o.LaunchAt),
		tasks: map[string]*Task{}, tokens: map[string]launched{}, count: map[string]int{},
	}
}

// Close kills the tasks that still run and waits until they ended.
func (e *Edge) Close() {
	for _, t := range e.Tasks() {
		t.kill()
	}
	e.ended.Wait()
}

// Violations lists what was not as AWS's model has it, in requests and in our own answers.
func (e *Edge) Violations() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.wrong)
}

// Calls counts the calls of that operation.
func (e *Edge) Calls(operation string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count[operation]
}

// Tasks lists all tasks, as they were started.
func (e *Edge) Tasks() []*Task {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.order)
}

// refusal is an exception of the API.
type refusal struct {
	exception, message string
	more               map[string]any
}

func (r *refusal) Error() string { return r.exception + ": " + r.message }

const throttling = "ThrottlingException"

func refuse(exception, format string, args ...any) error {
	return &refusal{exception: exception, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return refuse("InvalidParameterException", format, args...)
}

const target = "AmazonEC2ContainerServiceV20141113."

func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.agent(w, r) {
		return
	}
	operation, ours := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	handle := map[string]func([]byte) (any, error){
		"RunTask": e.runTask, "DescribeTasks": e.describeTasks, "StopTask": e.stopTask, "ListTasks": e.listTasks,
	}[operation]
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if ours {
		e.note(operation, e.o.Model.Request(operation, body))
	}
	if !ours || handle == nil {
		e.pass(w, r, body)
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		e.answer(w, operation, nil, refuse("MissingAuthenticationTokenException", "Missing Authentication Token"))
		return
	}
	if e.dice.roll(e.o.Faults.Throttle) {
		e.answer(w, operation, nil, refuse(throttling, "Rate exceeded"))
		return
	}
	out, err := handle(body)
	if err == nil && operation == "RunTask" && e.dice.roll(e.o.Faults.LoseAnswer) {
		panic(http.ErrAbortHandler) // the tasks are there, and nobody is told
	}
	e.answer(w, operation, out, err)
}

func (e *Edge) pass(w http.ResponseWriter, r *http.Request, body []byte) {
	if e.o.Next == nil {
		e.answer(w, "", nil, refuse("UnknownOperationException", "%s", r.Header.Get("X-Amz-Target")))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e.o.Next.ServeHTTP(w, r)
}

// note counts a call and keeps what is wrong with it.
func (e *Edge) note(operation string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count[operation]++
	if err != nil {
		e.wrong = append(e.wrong, operation+": "+err.Error())
	}
}

func (e *Edge) blame(err error) {
	if err == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wrong = append(e.wrong, err.Error())
}

// answer writes what protocol JSON 1.1 has: a body, or an exception with its name in __type.
func (e *Edge) answer(w http.ResponseWriter, operation string, out any, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var r *refusal
	switch {
	case errors.As(err, &r):
		if operation != "" && r.exception != "MissingAuthenticationTokenException" {
			e.blame(e.o.Model.Refusal(operation, r.exception))
		}
		body := map[string]any{"__type": r.exception, "message": r.message}
		maps.Copy(body, r.more)
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(body)
		return
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "ServerException", "message": err.Error()})
		return
	}
	body, err := json.Marshal(out)
	e.blame(err)
	if err := e.o.Model.Answer(operation, body); err != nil {
		e.blame(fmt.Errorf("answer of %s: %w", operation, err))
	}
	_, _ = w.Write(body)
}
