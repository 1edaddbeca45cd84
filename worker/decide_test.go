// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

func TestDecide(t *testing.T) {
	done := job.Result{Status: job.Failed, Verdict: job.WallTime}
	internal := job.Result{Status: job.Failed, Verdict: job.Internal, Steps: []job.Step{{Name: "run", Message: "mount /proc: EPERM"}}}
	cancelled := job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}
	for _, tt := range []struct {
		name         string
		res          job.Result
		err, stopped error
		want         action
		message      string
		began        bool
	}{
		{"result", done, nil, nil, complete, "", false},
		{"result, though cancelled meanwhile", done, nil, queue.ErrCancelRequested, complete, "", false},
		{"result, though draining", done, nil, errDraining, complete, "", false},
		{"result, but the lease is lost", done, nil, fmt.Errorf("x: %w", queue.ErrLeaseLost), drop, "", false},
		{"cancelled as asked", cancelled, nil, queue.ErrCancelRequested, complete, "", false},
		{"cancelled as asked, no result", job.Result{}, job.Errorf(job.ECancelled, "x"), queue.ErrCancelRequested, complete, "", false},
		{"cancelled for draining", cancelled, nil, errDraining, release, "", false},
		{"broken off for draining", job.Result{}, errors.New("context canceled"), errDraining, release, "", false},
		{"stopped while Redis was away", cancelled, nil, fmt.Errorf("%w: dial", queue.ErrRedisUnreachable), release, "", false},
		{"result, though Redis was away", done, nil, fmt.Errorf("%w: dial", queue.ErrRedisUnreachable), complete, "", false},
		{"cancelled by nobody: the daemon stops", cancelled, nil, nil, release, "", false},
		{"sandbox fault", internal, nil, nil, retry, messageInternal, false},
		{"a language that is gone", job.Result{}, job.Invalid("language", "cobol is not offered here"), nil, release, "", false},
		{"invalid", job.Result{}, job.Invalid("run.wallMs", "is 5"), nil, fail, "run.wallMs is 5", false},
		{"too large", job.Result{}, job.Errorf(job.ETooLarge, "too large"), nil, fail, "too large", false},
		{"not found", job.Result{}, job.Errorf(job.ENotFound, "no language cobol"), nil, fail, "no language cobol", false},
		{"busy", job.Result{}, job.Errorf(job.EBusy, "full"), nil, release, "", false},
		{"unavailable", job.Result{}, job.Errorf(job.EUnavailable, "no daemon on /run/x.sock"), nil, release, "", false},
		{"broken off", job.Result{}, fmt.Errorf("%w: %w", ErrBroken, job.Errorf(job.EUnavailable, "no answer")), nil, retry, messageUnavailable, false},
		{"conflict", job.Result{}, job.Errorf(job.EConflict, "it runs"), nil, retry, messageInternal, false},
		{"any other", job.Result{}, errors.New("disk on fire"), nil, retry, messageInternal, false},
		{"busy after work", job.Result{}, job.Errorf(job.EBusy, "full"), nil, retry, messageUnavailable, true},
		{"draining after work", job.Result{}, job.Errorf(job.EBusy, "full"), errDraining, release, "", true},
	} {
		d := decide(tt.res, tt.err, tt.stopped, tt.began)
		if d.action != tt.want || d.fault.Message != tt.message {
			t.Errorf("%s: action %d, message %q, want %d, %q", tt.name, d.action, d.fault.Message, tt.want, tt.message)
		}
		if d.action == complete && d.result.Status == "" {
			t.Errorf("%s: to be stored: %+v, want a result", tt.name, d.result)
		}
		if (d.action == retry || d.action == fail || d.action == release) && d.fault.Cause == "" {
			t.Errorf("%s: no cause for operators", tt.name)
		}
	}
	if got, want := decide(internal, nil, nil, true).fault.Cause, "step run: mount /proc: EPERM"; got != want {
		t.Errorf("cause %q, want %q", got, want)
	}
}

func TestCost(t *testing.T) {
	for _, tt := range []struct {
		ms   int64
		req  queue.Request
		want float64
	}{
		{90, queue.Request{CPUMillicores: 256, MemoryMb: 128}, 0.00000027},
		{1_010, queue.Request{CPUMillicores: 256, MemoryMb: 128}, 0.00000306},
		{12_090, queue.Request{CPUMillicores: 256, MemoryMb: 128}, 0.00003667},
		{0, queue.Request{CPUMillicores: 256, MemoryMb: 128}, 0},
		{3_600_000, queue.Request{CPUMillicores: 1, MemoryMb: 1}, 0.00545925}, // at least 128 millicores and 64 MiB
	} {
		if got := cost(tt.req, tt.ms); got != tt.want {
			t.Errorf("cost(%+v, %d ms) = %.8f, want %.8f", tt.req, tt.ms, got, tt.want)
		}
	}
}
