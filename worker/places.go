// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"sync"

	"github.com/ccee-dev/ccee/queue"
)

const (
	// MaxConcurrency is the largest Options.Concurrency: no daemon has more slots.
	MaxConcurrency = 4096
	// mostStarting is how many jobs may be with the backend without having begun. Those that find no room there wait in the order in
	// which they came, whoever's they are; the queue is fairer, so as many as possible stay in it. It is also the concurrency of a
	// backend that doesn't say how many jobs it can run.
	mostStarting = 16
)

// places bounds how many jobs a worker has at once.
type places struct {
	all, starting chan struct{} // one value for each job, and for each that has not begun
	changed       chan struct{} // a job has begun or ended; holds one signal
	held          *shares       // of all
	heldStarting  *shares       // of starting
}

func newPlaces(n, tenantShare int) *places {
	starting, changed := min(n, mostStarting), make(chan struct{}, 1)
	return &places{make(chan struct{}, n), make(chan struct{}, starting), changed,
		newShares(n, tenantShare, changed), newShares(starting, tenantShare, changed)}
}

// acquire waits for a place for one more job; false when ctx has ended.
func (p *places) acquire(ctx context.Context) bool {
	for _, places := range []chan struct{}{p.all, p.starting} {
		select {
		case <-ctx.Done():
			return false
		case places <- struct{}{}:
		}
	}
	return ctx.Err() == nil
}

// full returns the tenants that hold their share of the places.
func (p *places) full() []string { return append(p.held.full(), p.heldStarting.full()...) }

// take gives the acquired place to a job. The caller calls begun when the job begins and end when it has ended.
func (p *places) take(l *queue.Lease) (begun, end func()) {
	p.held.begin(l.Job.Tenant)
	p.heldStarting.begin(l.Job.Tenant)
	begun = sync.OnceFunc(func() {
		<-p.starting
		p.heldStarting.end(l.Job.Tenant)
	})
	return begun, func() {
		begun()
		<-p.all
		p.held.end(l.Job.Tenant)
	}
}

// makePlaces makes Options.Concurrency places, or as many as the backend has slots; nil when ctx has ended.
func (w *Worker) makePlaces(ctx context.Context) *places {
	n := w.opts.Concurrency
	var b backoff
	for n == 0 {
		ready, err := w.backend.Ready(ctx)
		switch {
		case err == nil && ready.Slots > 0:
			n = min(ready.Slots, MaxConcurrency)
		case err == nil:
			n = mostStarting
		case b.first() && ctx.Err() == nil:
			w.log.Warn().Err(err).Msg("the backend doesn't say how many jobs it can run: no jobs are claimed until it does")
		}
		if n == 0 && !b.wait(ctx) {
			return nil
		}
	}
	return newPlaces(n, w.opts.TenantShare)
}
