// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Submission is a job to be run. Of the many members of the contract it has those that most callers need; More has the others.
type Submission struct {
	Language   string
	SourceCode string
	Stdin      []byte
	Args       []string
	Env        map[string]string
	TimeoutMs  int // 0: the default
	MemoryMb   int
	More       map[string]any // further members, by their names in the contract

	IdempotencyKey string // "": one is made, so that a repeated call makes no second job
}

// MarshalJSON writes the contract's members.
func (s Submission) MarshalJSON() ([]byte, error) {
	m := map[string]any{"language": s.Language}
	maps.Copy(m, s.More)
	if s.SourceCode != "" {
		m["sourceCode"] = s.SourceCode
	}
	if s.Stdin != nil {
		m["stdinBase64"] = s.Stdin
	}
	if s.Args != nil {
		m["args"] = s.Args
	}
	if s.Env != nil {
		m["env"] = s.Env
	}
	if s.TimeoutMs != 0 {
		m["timeoutMs"] = s.TimeoutMs
	}
	if s.MemoryMb != 0 {
		m["memoryMb"] = s.MemoryMb
	}
	return json.Marshal(m)
}

// Job is a job as the API shows it; Raw is all of it.
type Job struct {
	JobID           string     `json:"jobId"`
	Language        string     `json:"language"`
	Status          string     `json:"status"` // queued, running, retrying, succeeded, failed, timed_out, cancelled
	CreatedAt       time.Time  `json:"createdAt"`
	CompletedAt     *time.Time `json:"completedAt"`
	Error           string     `json:"error"` // a fault of the service, not of the program
	FailureCategory string     `json:"failureCategory"`
	Result          *Result    `json:"result"`

	Raw json.RawMessage `json:"-"`
}

// Final reports whether the job is finished.
func (j *Job) Final() bool {
	switch j.Status {
	case "succeeded", "failed", "timed_out", "cancelled":
		return true
	}
	return false
}

// Result is the outcome of a job.
type Result struct {
	Status       string `json:"status"`
	Verdict      string `json:"verdict"`
	ExitCode     *int   `json:"exitCode"`
	Signal       string `json:"signal"`
	TimedOut     bool   `json:"timedOut"`
	DurationMs   int64  `json:"durationMs"`
	Stdout       string `json:"stdout"`
	Stderr       string `json:"stderr"`
	StdoutBase64 []byte `json:"stdoutBase64"` // the bytes
	StderrBase64 []byte `json:"stderrBase64"`
	Tests        *Tests `json:"tests"` // nil unless it had tests
}

// Tests are the outcomes of a job's tests.
type Tests struct {
	Total  int    `json:"total"`
	Passed int    `json:"passed"`
	Items  []Test `json:"items"`
}

// Test is the outcome of one test.
type Test struct {
	Number  int    `json:"number"`
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Verdict string `json:"verdict"`
	Message string `json:"message"`
}

// waitAtOnce is how long one call waits for a job.
const waitAtOnce = 30 * time.Second

// Submit submits a job and returns its id. It does not wait.
func (c *Client) Submit(ctx context.Context, s Submission) (id string, err error) {
	var out struct{ JobID string }
	_, err = c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs", body: s, key: orKey(s.IdempotencyKey)}, &out)
	return out.JobID, err
}

func orKey(key string) string {
	if key == "" {
		return newKey()
	}
	return key
}

// Run submits a job and waits for its end, until ctx is done. A program that fails is no error: see Job.Status.
func (c *Client) Run(ctx context.Context, s Submission) (*Job, error) {
	var j Job
	raw, err := c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs", query: waiting(), body: s, key: orKey(s.IdempotencyKey), wait: waitAtOnce}, &j)
	if err != nil {
		return nil, err
	}
	if j.Final() {
		j.Raw = raw
		return &j, nil
	}
	return c.Wait(ctx, j.JobID)
}

func waiting() url.Values {
	return url.Values{"wait": {strconv.Itoa(int(waitAtOnce.Seconds()))}, "encoding": {"base64"}}
}

// Job returns a job as it is now.
func (c *Client) Job(ctx context.Context, id string) (*Job, error) {
	return c.job(ctx, request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id), query: url.Values{"encoding": {"base64"}}})
}

// Wait returns a job once it is finished, or the error of ctx.
func (c *Client) Wait(ctx context.Context, id string) (*Job, error) {
	for {
		j, err := c.job(ctx, request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id), query: waiting(), wait: waitAtOnce})
		if err != nil || j.Final() {
			return j, err
		}
	}
}

func (c *Client) job(ctx context.Context, r request) (*Job, error) {
	var j Job
	raw, err := c.call(ctx, r, &j)
	if err != nil {
		return nil, err
	}
	j.Raw = raw
	return &j, nil
}

// Cancel cancels a job, queued or running, and returns it as it is then: a running one ends a moment later. One that is finished is an
// Error with the status 409.
func (c *Client) Cancel(ctx context.Context, id string) (*Job, error) {
	return c.job(ctx, request{method: http.MethodDelete, path: "/v1/jobs/" + url.PathEscape(id)})
}

// Rerun submits once more what a job was submitted with, and returns the new job's id.
func (c *Client) Rerun(ctx context.Context, id string) (string, error) {
	var out struct{ JobID string }
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs/" + url.PathEscape(id) + "/rerun"}, &out)
	return out.JobID, err
}

// Delete deletes the stored data of a finished job.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/v1/jobs/" + url.PathEscape(id) + "/data"}, nil)
	return err
}

// Analyze has the service explain the end of a job, and returns the explanation as the API writes it.
func (c *Client) Analyze(ctx context.Context, id string) (json.RawMessage, error) {
	return c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs/" + url.PathEscape(id) + "/analyze"}, nil)
}
