// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// body is a JSON object to send.
type body map[string]any

// jobObject is what the tests read of a job object.
type jobObject struct {
	JobID           string
	FailureCategory string
	Status          string
	Error           *string
	Result          *struct {
		Status                           string
		ExitCode                         *int
		Signal                           *string
		TimedOut                         bool
		Stdout, Stderr                   string
		Verdict                          string
		Evidence                         []struct{ Source string }
		StdoutTruncated, StderrTruncated bool
		StdoutBase64, StderrBase64       []byte
		StdoutTail                       string
		StdoutOmittedBytes               int64
		Compile                          *struct{ Verdict string }
		Run                              *struct {
			Verdict               string
			Interleaving          []job.Chunk
			InterleavingTruncated bool
		}
		Usage struct {
			WallMs                   float64
			MemoryPeakBytes          int64
			StdoutBytes, StderrBytes int64
		}
	}
}

func (j *jobObject) final() bool {
	return j.Status == "succeeded" || j.Status == "failed" || j.Status == "timed_out" || j.Status == "cancelled"
}

// request sends one request and returns status and body.
func (s *stack) request(method, path, key string, payload any) (int, []byte, error) {
	var r io.Reader
	switch p := payload.(type) {
	case nil:
	case string:
		r = bytes.NewReader([]byte(p))
	default:
		b, err := json.Marshal(p)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, s.url+path, r)
	if err != nil {
		return 0, nil, err
	}
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	if r != nil {
		req.Header.Set("content-type", "application/json")
	}
	resp, err := rest.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// submit sends a job and returns its id.
func (s *stack) submit(t *testing.T, b body) string {
	t.Helper()
	status, answer, err := s.request("POST", "/v1/jobs", key, b)
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("POST /v1/jobs: %d %s, %v", status, answer, err)
	}
	var j jobObject
	if err := json.Unmarshal(answer, &j); err != nil {
		t.Fatalf("POST /v1/jobs: %s: %v", answer, err)
	}
	return j.JobID
}

// get reads a job once, waiting for its end as long as wait.
func (s *stack) get(id string, wait time.Duration) (*jobObject, error) {
	status, answer, err := s.request("GET", fmt.Sprintf("/v1/jobs/%s?encoding=base64&waitMs=%d", id, wait.Milliseconds()), key, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("GET job %s: %d %s", id, status, answer)
	}
	var j jobObject
	return &j, json.Unmarshal(answer, &j)
}

// await waits for a job's end. Requests may fail meanwhile: the tests kill what answers them.
func (s *stack) await(id string, within time.Duration) (*jobObject, error) {
	deadline := time.Now().Add(within)
	for {
		j, err := s.get(id, 10*time.Second)
		if err == nil && j.final() {
			return j, nil
		}
		select {
		case <-s.ended:
			return nil, fmt.Errorf("ccee up ended: %v", s.err)
		default:
		}
		if time.Now().After(deadline) {
			if err == nil {
				err = errors.New("it is " + j.Status)
			}
			return nil, fmt.Errorf("job %s has no result after %v: %w", id, within, err)
		}
	}
}

// run submits a job and waits for its end.
func (s *stack) run(t *testing.T, b body) *jobObject {
	t.Helper()
	j, err := s.await(s.submit(t, b), 2*patience.Long())
	if err != nil {
		t.Fatal(err)
	}
	return j
}
