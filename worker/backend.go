// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// ErrBroken is wrapped by Backend.Run's error when the backend broke down while it had the job, which may have been started.
var ErrBroken = errors.New("the backend broke down")

// Backend runs jobs.
type Backend interface {
	// Run runs one job to its end. The end of a program, however it ended, is a Result; an error, best a *job.Error, means that there is
	// none. An error with the code EBusy or EUnavailable means that the job was not started, unless it wraps ErrBroken. When ctx ends Run
	// stops the job and returns soon, with a cancelled result if it can. It calls on with each event of the job, from one goroutine at a
	// time, and the job waits until on returns. An event's Data is valid only until then.
	Run(ctx context.Context, spec job.Spec, on func(job.Event)) (job.Result, error)
	// Languages lists the languages in which Run can run jobs.
	Languages(ctx context.Context) ([]job.Language, error)
	// Ready returns an error if Run can run no job now.
	Ready(ctx context.Context) (Readiness, error)
}

// Readiness describes a backend that can run jobs.
type Readiness struct {
	Slots    int      // jobs that Run can run at once, however small they are; 0: not known
	Warnings []string // for operators: faults with which it can run jobs all the same

	QueueWait time.Duration // how long a job may wait in the backend before it is run; 0: not known
	Runs      int           // how often Run may begin a job, where what runs it fails; 0: once
}
