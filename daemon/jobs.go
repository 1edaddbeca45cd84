// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"sync"

	"github.com/ccee-dev/ccee/job"
)

// jobs are the accepted jobs that are not answered yet, by id.
type jobs struct {
	mu       sync.Mutex // guards all below
	cancel   map[string]context.CancelCauseFunc
	draining bool
	idle     chan struct{} // closed when draining and empty

	hold func() (release func()) // see Options.Hold
}

func newJobs(hold func() func()) *jobs {
	if hold == nil {
		hold = func() func() { return func() {} }
	}
	return &jobs{cancel: map[string]context.CancelCauseFunc{}, idle: make(chan struct{}), hold: hold}
}

// begin adds a job. The context that it returns ends with ctx, by cancelJob, and by shutdown. end removes the job and may be
// called more than once.
func (j *jobs) begin(ctx context.Context, id string) (_ context.Context, end func(), err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.draining {
		return nil, nil, errDraining()
	}
	if j.cancel[id] != nil {
		return nil, nil, job.Errorf(job.EConflict, "a job with the id %s is running: give each its own", id)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	j.cancel[id] = cancel
	release := j.hold()
	return ctx, sync.OnceFunc(func() { j.end(id); release() }), nil
}

func (j *jobs) end(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cancel[id](nil)
	delete(j.cancel, id)
	j.checkIdle()
}

// cancelJob cancels a job by its id and reports whether there was one.
func (j *jobs) cancelJob(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	cancel, ok := j.cancel[id]
	if ok {
		cancel(errCancelled)
	}
	return ok
}

// drain refuses new jobs from now on. The channel is closed when the last job has ended.
func (j *jobs) drain() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.draining {
		j.draining = true
		j.checkIdle()
	}
	return j.idle
}

// checkIdle reports the end of the last job, when draining. mu must be held.
func (j *jobs) checkIdle() {
	if j.draining && len(j.cancel) == 0 {
		close(j.idle)
	}
}

// shutdown cancels every job.
func (j *jobs) shutdown() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, cancel := range j.cancel {
		cancel(errShutdown)
	}
}

func (j *jobs) isDraining() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.draining
}

func errDraining() *job.Error {
	return job.Errorf(job.EUnavailable, "the daemon is shutting down: try again, or use another one")
}
