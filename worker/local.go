// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
)

// cancelGrace is how long a daemon may take to end a cancelled job before the worker closes the connection.
const cancelGrace = 2 * time.Second

// Local is the Backend of a daemon on a unix socket of this machine.
type Local struct{ daemon *client.Client }

// NewLocal returns the Backend of the daemon on that socket. It connects when it is used.
func NewLocal(socket string) *Local { return &Local{client.New(socket)} }

// Run runs the job on the daemon. When ctx ends it asks the daemon to cancel the job, so that the output so far is kept; if the daemon
// does not answer in time, it closes the connection, which ends the job too.
func (l *Local) Run(ctx context.Context, spec job.Spec, on func(job.Event)) (job.Result, error) {
	type answer struct {
		res job.Result
		err error
	}
	conn, closeConn := context.WithCancel(context.WithoutCancel(ctx))
	defer closeConn()
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
		closeConn() // the daemon may not have the job yet, or be down
	}
	select {
	case a := <-done:
		return a.res, a.err
	case <-grace.Done():
		closeConn()
		a := <-done
		return a.res, a.err
	}
}

// Languages lists the daemon's languages.
func (l *Local) Languages(ctx context.Context) ([]job.Language, error) {
	return l.daemon.Languages(ctx)
}

// Ready returns the daemon's answer to GET /ready.
func (l *Local) Ready(ctx context.Context) (Readiness, error) {
	r, err := l.daemon.Readiness(ctx)
	return Readiness{Slots: r.Slots, QueueWait: time.Duration(r.QueueWaitMs) * time.Millisecond, Warnings: r.Warnings}, err
}
