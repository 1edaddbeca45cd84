package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
)

// cancelGrace is how long a daemon may take to answer a job that was cancelled before the worker hangs up on it.
const cancelGrace = 2 * time.Second

// Local is the Backend that is a daemon on a unix socket of this machine.
type Local struct{ daemon *client.Client }

// NewLocal returns the backend for the daemon on that socket. It connects when it is first used.
func NewLocal(socket string) *Local { return &Local{client.New(socket)} }

// Run has the daemon run the job. When ctx ends the daemon is asked to cancel it, so that the output so far is kept; if it does
// not answer in time its connection is closed, which ends the job too.
func (l *Local) Run(ctx context.Context, spec job.Spec, on func(job.Event)) (job.Result, error) {
	type answer struct {
		res job.Result
		err error
	}
	conn, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	done := make(chan answer, 1)
	go func() {
		res, err := l.daemon.Stream(conn, spec, func(ev job.Event) error { on(ev); return nil })
		if errors.Is(err, client.ErrBroken) {
			err = fmt.Errorf("%w: %w", ErrBroken, err)
		}
		done <- answer{res, err}
	}()
	select {
	case a := <-done:
		return a.res, a.err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(conn, cancelGrace)
	defer cancel()
	if err := l.daemon.Cancel(grace, spec.ID); err != nil {
		hangUp() // it may not have the job yet, or be gone
	}
	select {
	case a := <-done:
		return a.res, a.err
	case <-grace.Done():
		hangUp()
		a := <-done
		return a.res, a.err
	}
}

// Languages lists what the daemon can run.
func (l *Local) Languages(ctx context.Context) ([]job.Language, error) {
	return l.daemon.Languages(ctx)
}

// Ready is nil when the daemon can run jobs.
func (l *Local) Ready(ctx context.Context) error { return l.daemon.Ready(ctx) }

// Slots is how many jobs the daemon runs at once.
func (l *Local) Slots(ctx context.Context) (int, error) { return l.daemon.Slots(ctx) }
