package worker

import (
	"context"
	"errors"

	"github.com/ccee-dev/ccee/job"
)

// ErrBroken is wrapped by Backend.Run's error when the backend broke down while it had the job, which it may have begun.
var ErrBroken = errors.New("the backend broke down")

// Backend runs jobs somewhere.
type Backend interface {
	// Run runs one job to its end. What the program does is a Result; an error, best a *job.Error, means that there is none. One with the
	// code EBusy or EUnavailable means that the job was not begun, unless it wraps ErrBroken.
	// When ctx ends Run stops the job and returns soon, with a cancelled result where it can. It tells what the job does as it
	// happens, from one goroutine at a time; the job waits while on does not return. An event's Data is on's only until then.
	Run(ctx context.Context, spec job.Spec, on func(job.Event)) (job.Result, error)
	// Languages lists what Run can run.
	Languages(ctx context.Context) ([]job.Language, error)
	// Ready is nil when Run can run a job now.
	Ready(ctx context.Context) error
	// Slots is how many jobs Run can run at once, however little each of them needs; 0 when it doesn't say.
	Slots(ctx context.Context) (int, error)
}
