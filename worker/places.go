package worker

import (
	"context"
	"sync"

	"github.com/ccee-dev/ccee/queue"
)

const (
	// MaxConcurrency is the largest Options.Concurrency: no daemon has more slots.
	MaxConcurrency = 4096
	// mostStarting is how many jobs may have been given to the backend and not have begun. What has no room there waits in the order in which it
	// came, whosever it is; the queue is fairer, so as much as can stays in it. It also is what a backend has that doesn't say how many it can run.
	mostStarting = 16
)

// places are for the jobs that a worker has taken.
type places struct {
	all, starting chan struct{} // one value for each job, and for each that has not begun
	share         *share
	shareStarting *share
}

func newPlaces(n, tenantShare int) *places {
	starting := min(n, mostStarting)
	share := newShare(n, tenantShare)
	return &places{make(chan struct{}, n), make(chan struct{}, starting), share, share.part(starting)}
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

// full are the tenants that have their part of the places.
func (p *places) full() []string { return append(p.share.full(), p.shareStarting.full()...) }

// take gives the place that was acquired to a job. begun is to be called when it begins, end when it is over.
func (p *places) take(l *queue.Lease) (begun, end func()) {
	p.share.begin(l.Job.Tenant)
	p.shareStarting.begin(l.Job.Tenant)
	begun = sync.OnceFunc(func() {
		<-p.starting
		p.shareStarting.end(l.Job.Tenant)
	})
	return begun, func() {
		begun()
		<-p.all
		p.share.end(l.Job.Tenant)
	}
}

// makePlaces makes as many as were asked for, or as the backend has; nil when ctx has ended.
func (w *Worker) makePlaces(ctx context.Context) *places {
	n := w.opts.Concurrency
	var b backoff
	for n == 0 {
		slots, err := w.backend.Slots(ctx)
		switch {
		case err == nil && slots > 0:
			n = min(slots, MaxConcurrency)
		case err == nil:
			n = mostStarting
		case b.first() && ctx.Err() == nil:
			w.log.Warn().Err(err).Msg("the backend doesn't say how many jobs it can run: no jobs are taken until it does")
		}
		if n == 0 && !b.wait(ctx) {
			return nil
		}
	}
	return newPlaces(n, w.opts.TenantShare)
}
