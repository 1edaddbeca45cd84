// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
)

// How long the parts of a task's life may take.
const (
	takeTimeout      = time.Minute      // to get the job
	startTimeout     = time.Minute      // until the daemon is ready
	endTimeout       = 3 * time.Minute  // to give back the result
	interruptTimeout = 20 * time.Second // to say that the task is interrupted: ECS kills it 30 to 120 s after SIGTERM
	cancelGrace      = 5 * time.Second  // for the daemon to end a cancelled job
)

// ErrInterrupted means that the task was told to end before its job had ended, and has said so.
var ErrInterrupted = errors.New("the task was interrupted")

// Daemon runs a job: daemon/client's Client.
type Daemon interface {
	Stream(ctx context.Context, spec job.Spec, each func(job.Event) error) (job.Result, error)
	Cancel(ctx context.Context, id string) error
}

// Run takes the job, runs it on the daemon that start returns, which must be ready, and gives back how it ended. The end of ctx is the
// task's interruption. An error means that nobody was given a result.
func Run(ctx context.Context, e *Exchange, start func(context.Context) (Daemon, error), log zerolog.Logger) error {
	bounded, cancel := context.WithTimeoutCause(ctx, takeTimeout, errors.New("the api gave no job in time"))
	defer cancel()
	spec, err := e.Take(bounded)
	if err != nil {
		return fmt.Errorf("take the job: %w", err)
	}
	log.Info().Str("job", spec.ID).Int("attempt", spec.Attempt).Str("language", spec.Language).Msg("job taken")

	running, stop := context.WithCancelCause(ctx) // ends when the job must end
	defer stop(nil)
	p := &pump{exchange: e, cancel: stop}
	reporting, endReports := context.WithCancel(running)
	defer endReports()
	var pumping sync.WaitGroup
	pumping.Go(func() { p.run(reporting) })
	last := runJob(running, spec, start, p.add)
	endReports()
	pumping.Wait()

	cause := context.Cause(running)
	if errors.Is(cause, ErrVoid) {
		return cause // there is nobody to report to
	}
	limit := endTimeout
	if ctx.Err() != nil && last.Result == nil {
		last, limit = job.Report{Interrupted: true}, interruptTimeout
	}
	last.Events = p.take()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err = e.End(ending, last)
	if errors.Is(err, errRefused) { // better an error than silence
		err = e.End(ending, failed(fmt.Errorf("the api does not take the result: %w", err)))
	}
	if err != nil {
		return fmt.Errorf("give back the end of job %s: %w", spec.ID, err)
	}
	log.Info().Str("job", spec.ID).Bool("interrupted", last.Interrupted).Msg("job ended")
	if last.Interrupted {
		return ErrInterrupted
	}
	return nil
}

// runJob runs the job to its end, or until ctx ends, and returns what to report.
func runJob(ctx context.Context, spec job.Spec, start func(context.Context) (Daemon, error), add func(job.Event)) job.Report {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	d, err := start(starting)
	if err != nil {
		return failed(job.Errorf(job.EUnavailable, "the task's daemon: %v", err))
	}
	conn, closeConn := context.WithCancel(context.WithoutCancel(ctx))
	defer closeConn()
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errCancelled) { // what the program wrote so far is kept
			grace, cancel := context.WithTimeout(conn, cancelGrace)
			defer cancel()
			if d.Cancel(grace, spec.ID) == nil {
				<-grace.Done() // Stream has ended, or takes too long
			}
		}
		closeConn()
	})
	defer stop()
	res, err := d.Stream(conn, spec, func(ev job.Event) error { add(ev); return nil })
	if err != nil {
		return failed(err)
	}
	return job.Report{Result: &res}
}

// failed is the report that there is no result.
func failed(err error) job.Report {
	var e *job.Error
	if !errors.As(err, &e) {
		e = job.Errorf(job.EInternal, "%v", err)
	}
	return job.Report{Error: e}
}
