// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

func TestCancelByID(t *testing.T) {
	begun := make(chan string)
	s := serve(t, 0, waits(begun))
	answer := make(chan string, 1)
	go func() {
		_, body := s.ask(t, "POST", "/v1/run", specBody, "")
		answer <- body
	}()
	id := patience.Receive(t, begun, "the job begins")
	if resp, body := s.ask(t, "POST", "/v1/run", specBody, ""); resp.StatusCode != 409 {
		t.Errorf("the same id again: HTTP %d %s, want 409", resp.StatusCode, body)
	}
	if resp, body := s.ask(t, "DELETE", "/v1/run/"+id, "", ""); resp.StatusCode != 204 {
		t.Errorf("DELETE: HTTP %d %s, want 204", resp.StatusCode, body)
	}
	if body := patience.Receive(t, answer, "the cancelled job is answered"); !strings.Contains(body, `"status":"cancelled"`) {
		t.Errorf("answer %s, want a cancelled result", body)
	}
	// Its caller has the answer, so the id is free.
	if resp, _ := s.ask(t, "DELETE", "/v1/run/"+id, "", ""); resp.StatusCode != 404 {
		t.Errorf("DELETE once more: HTTP %d, want 404", resp.StatusCode)
	}
}

func TestDisconnectCancels(t *testing.T) {
	ended := make(chan error, 1)
	begun := make(chan struct{})
	s := serve(t, time.Minute, func(ctx context.Context, _ job.Spec, _ func(job.Event) error) (job.Result, error) {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return job.Result{}, job.Errorf(job.ECancelled, "gone")
	})
	ctx, cancel := context.WithCancel(patience.Context(t))
	req, _ := http.NewRequestWithContext(ctx, "POST", "http://daemon/v1/run", strings.NewReader(specBody))
	go func() {
		<-begun
		cancel()
	}()
	if resp, err := s.http.Do(req); err == nil {
		resp.Body.Close()
		t.Error("the cancelled request was answered")
	}
	if err := patience.Receive(t, ended, "the job ends with its caller"); !errors.Is(err, context.Canceled) {
		t.Errorf("the job ended with %v, want a cancelled context", err)
	}
}

func TestDrainLetsJobsFinish(t *testing.T) {
	begun, next := make(chan struct{}), make(chan struct{})
	s := serve(t, time.Minute, func(ctx context.Context, spec job.Spec, emit func(job.Event) error) (job.Result, error) {
		close(begun)
		<-next
		return prints(ctx, spec, emit)
	})
	answer := make(chan string, 1)
	go func() {
		_, body := s.ask(t, "POST", "/v1/run", specBody, "")
		answer <- body
	}()
	patience.Receive(t, begun, "the job begins")
	s.jobs.drain() // which stop does too, at a moment that can't be seen from here
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	resp, body := s.ask(t, "POST", "/v1/run", strings.Replace(specBody, "j1", "j2", 1), "")
	if resp.StatusCode != 503 || !resp.Close || !strings.Contains(body, `"unavailable"`) {
		t.Errorf("a job while draining: HTTP %d, close %v, %s, want 503 unavailable and a closed connection", resp.StatusCode, resp.Close, body)
	}
	if resp, _ := s.ask(t, "GET", "/ready", "", ""); resp.StatusCode != 503 {
		t.Errorf("/ready while draining: HTTP %d, want 503", resp.StatusCode)
	}
	if resp, _ := s.ask(t, "GET", "/health", "", ""); resp.StatusCode != 200 {
		t.Errorf("/health while draining: HTTP %d, want 200", resp.StatusCode)
	}
	close(next)
	if body := patience.Receive(t, answer, "the running job is answered"); !strings.Contains(body, "succeeded") {
		t.Errorf("the running job was answered %s, want its result", body)
	}
	if err := patience.Receive(t, done, "Serve returns"); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if _, err := os.Lstat(s.path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there (%v)", err)
	}
}

func TestDrainDeadlineKills(t *testing.T) {
	begun := make(chan string)
	s := serve(t, time.Nanosecond, waits(begun))
	answer := make(chan string, 1)
	go func() {
		resp, body := s.ask(t, "POST", "/v1/run", specBody, "")
		answer <- resp.Status + " " + body
	}()
	patience.Receive(t, begun, "the job begins")
	if err := s.stop(); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if got := patience.Receive(t, answer, "the killed job is answered"); !strings.HasPrefix(got, "503") || !strings.Contains(got, "unavailable") {
		t.Errorf("answer %s, want 503 unavailable: the job is to run elsewhere", got)
	}
}

// TestHold: what Options.Hold gives is released when the job is answered, and once.
func TestHold(t *testing.T) {
	held, released := 0, 0
	j := newJobs(func() func() { held++; return func() { released++ } })
	_, end, err := j.begin(t.Context(), "a")
	if err != nil || held != 1 || released != 0 {
		t.Fatalf("a job that begins: %v, held %d times, released %d", err, held, released)
	}
	if _, _, err := j.begin(t.Context(), "a"); err == nil || held != 1 {
		t.Errorf("a job that is refused: %v, held %d times", err, held)
	}
	end()
	end()
	if released != 1 {
		t.Errorf("released %d times, want once", released)
	}
}
