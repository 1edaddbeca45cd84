// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// A backend that hangs keeps no job beyond the job's limits: another attempt begins. One that had not begun with the job costs it no
// attempt.
func TestHangingBackend(t *testing.T) {
	for _, tt := range []struct {
		name     string
		begins   bool
		attempts int
	}{{"before the job began", false, 1}, {"after it began", true, 2}} {
		t.Run(tt.name, func(t *testing.T) {
			q := open(t, redistest.New(t), queue.Options{RetryBackoff: time.Millisecond})
			hung := make(chan error, 1)
			first := true
			startWorker(t, q, fake{wait: time.Millisecond, stream: func(ctx context.Context, s job.Spec, on func(job.Event)) (job.Result, error) {
				if !first {
					return good(s), nil
				}
				first = false
				if tt.begins {
					on(job.Event{Type: job.EventStarted})
				}
				<-ctx.Done()
				hung <- context.Cause(ctx)
				return job.Result{}, ctx.Err()
			}}, Options{Concurrency: 1, grace: time.Millisecond})
			id := enqueue(t, q)
			if err := patience.Receive(t, hung, "the worker gives the job up"); err != errOverdue {
				t.Errorf("it was stopped because: %v", err)
			}
			if r := wantEnd(t, q, id, queue.Succeeded); r.AttemptsMade != tt.attempts {
				t.Errorf("%d attempts, want %d", r.AttemptsMade, tt.attempts)
			}
		})
	}
}

func TestWallLimits(t *testing.T) {
	languages := []job.Language{
		{Name: "python", Aliases: []string{"py"}, DefaultRun: job.Limits{WallMs: 5}},
		{Name: "java", Compile: []string{"/javac"}, MinCompile: job.Limits{WallMs: 70}},
	}
	tests := &job.Tests{List: []job.Test{{}, {Run: job.Limits{WallMs: 9}}}, Checker: &job.Checker{Language: "python", Run: job.Limits{WallMs: 11}}}
	for _, tt := range []struct {
		spec job.Spec
		want time.Duration // the sum, in milliseconds
	}{
		{job.Spec{Language: "PY"}, 5},
		{job.Spec{Language: "python", Run: job.Limits{WallMs: 8}}, 8},
		{job.Spec{Language: "java", Compile: job.Limits{WallMs: 20}, Run: job.Limits{WallMs: 8}}, 78},
		{job.Spec{Language: "java"}, 18_000},
		{job.Spec{Language: "other"}, 18_000},
		{job.Spec{Language: "python", Tests: tests}, 5 + 11 + 9 + 11},
	} {
		var sum time.Duration
		for _, wall := range wallLimits(&tt.spec, languages) {
			sum += wall
		}
		if sum != tt.want*time.Millisecond {
			t.Errorf("%s: %v, want %v", tt.spec.Language, sum, tt.want*time.Millisecond)
		}
	}
}
