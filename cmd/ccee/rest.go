package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"ccee/api/job"
)

// restClient is the little of a REST client that ccee submit needs; api/openapi.yaml has the contract.
type restClient struct{ url, key string }

// submission is the body of POST /v1/jobs.
type submission struct {
	Language    string   `json:"language"`
	SourceCode  string   `json:"sourceCode"`
	StdinBase64 []byte   `json:"stdinBase64,omitempty"`
	Args        []string `json:"args,omitempty"`
}

// restJob is what of a job object is read here.
type restJob struct {
	JobID  string `json:"jobId"`
	Status string `json:"status"`
	Error  string `json:"error"`
	Result *struct {
		Verdict                    string `json:"verdict"`
		ExitCode                   *int   `json:"exitCode"`
		Signal                     string `json:"signal"`
		StdoutBase64, StderrBase64 []byte
	} `json:"result"`
	raw []byte // all of it
}

func (c *restClient) languages(ctx context.Context) ([]job.Language, error) {
	body, err := c.do(ctx, http.MethodGet, "/v1/runtimes", nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Runtimes []struct{ Language, SourceFile string } `json:"runtimes"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read the languages of %s: %w", c.url, err)
	}
	var ls []job.Language
	for _, r := range answer.Runtimes {
		ls = append(ls, job.Language{Name: r.Language, SourceFile: r.SourceFile})
	}
	return ls, nil
}

// run submits s and waits for its end, as long as it takes.
func (c *restClient) run(ctx context.Context, s submission) (*restJob, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	body, err := c.do(ctx, http.MethodPost, "/v1/jobs", payload)
	for err == nil {
		j := &restJob{raw: body}
		if err := json.Unmarshal(body, j); err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", c.url, err)
		}
		switch j.Status {
		case "succeeded", "failed", "timed_out", "cancelled":
			return j, nil
		}
		body, err = c.do(ctx, http.MethodGet, "/v1/jobs/"+j.JobID+"?waitMs=30000&encoding=base64", nil)
	}
	return nil, err
}

// do returns the body of a successful answer. Any other is an error that says what the server says.
func (c *restClient) do(ctx context.Context, method, path string, payload []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.url, "/")+path, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	req.Header.Set("x-api-key", c.key)
	if payload != nil {
		req.Header.Set("content-type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s%s: %s: %s", method, c.url, path, resp.Status, bytes.TrimSpace(body))
	}
	return body, nil
}
