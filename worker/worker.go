// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/ccee-dev/ccee/queue"
)

// storeGrace is what is left after the drain time to hand jobs back.
const storeGrace = time.Second

// Options are a worker's settings.
type Options struct {
	ID          string        // unique among live workers; "" for the host's name and a random part
	Concurrency int           // jobs at a time, up to MaxConcurrency; 0: as many as the backend has slots
	TenantShare int           // percent of the places that other tenants leave free that one tenant may hold; 0: all
	Drain       time.Duration // how long running jobs may take to finish once Run is told to stop
	OutputBytes int64         // default of what is kept of a stream; 0: the language's, or the server's
	Log         zerolog.Logger
	Metrics     prometheus.Registerer // nil for none
	Trace       trace.TracerProvider  // nil for none
	Backend     string                // what the backend is called in traces; "" for local
	// Hold, unless nil, is called when a job begins, and what it returns when the job has ended. Neither waits.
	Hold func() (release func())

	grace time.Duration // for tests; 0: runGrace
}

// Worker claims jobs and runs them.
type Worker struct {
	queue   *queue.Queue
	backend *monitor
	opts    Options
	log     zerolog.Logger
	metrics *metrics
	tracer  trace.Tracer
	places  *places // since Run
}

// New returns a worker; Run starts it.
func New(q *queue.Queue, b Backend, opts Options) (*Worker, error) {
	if opts.Concurrency < 0 || opts.Concurrency > MaxConcurrency {
		return nil, fmt.Errorf("worker concurrency is %d, it must be 0 to %d", opts.Concurrency, MaxConcurrency)
	}
	if opts.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("name the worker: %w", err)
		}
		opts.ID = host + "-" + rand.Text()[:8]
	}
	if opts.TenantShare < 0 || opts.TenantShare > 100 {
		return nil, fmt.Errorf("a tenant's share of a worker is %d percent, it must be 1 to 100", opts.TenantShare)
	}
	if opts.TenantShare == 0 {
		opts.TenantShare = 100
	}
	m, err := newMetrics(opts.Metrics)
	if err != nil {
		return nil, err
	}
	opts.grace = cmp.Or(opts.grace, runGrace)
	if opts.Trace == nil {
		opts.Trace = noop.NewTracerProvider()
	}
	if opts.Hold == nil {
		opts.Hold = func() func() { return func() {} }
	}
	log := opts.Log.With().Str("worker", opts.ID).Logger()
	return &Worker{queue: q, backend: newMonitor(b, m), opts: opts, log: log, metrics: m,
		tracer: opts.Trace.Tracer("ccee-worker")}, nil
}

// Run claims and runs jobs until ctx ends. Then it waits for the running ones, at most Options.Drain, hands back those that have not
// finished, and returns. An outage of Redis or of the backend does not end it: it tries again, more and more slowly.
func (w *Worker) Run(ctx context.Context) error {
	// jobs ends when running jobs must stop; store when nothing more can be written.
	store, endStore := context.WithCancel(context.WithoutCancel(ctx))
	defer endStore()
	jobs, endJobs := context.WithCancelCause(store)
	defer endJobs(nil)

	var announcing, running sync.WaitGroup
	announcing.Go(func() { w.announce(ctx) })
	defer announcing.Wait()
	if w.places = w.makePlaces(ctx); w.places == nil {
		return nil
	}
	w.log.Info().Str("version", version.Version).Int("concurrency", cap(w.places.all)).Msg("worker started")

	for w.places.acquire(ctx) {
		l := w.next(ctx)
		if l == nil {
			break
		}
		begun, end := w.places.take(l)
		release := w.opts.Hold()
		running.Go(func() {
			defer end()
			defer release()
			w.run(jobs, store, l, begun)
		})
	}

	w.log.Info().Dur("drain", w.opts.Drain).Msg("worker stopping")
	stop := time.AfterFunc(w.opts.Drain, func() { endJobs(errDraining) })
	defer stop.Stop()
	last := time.AfterFunc(w.opts.Drain+cancelGrace+storeGrace, endStore)
	defer last.Stop()
	running.Wait()
	w.log.Info().Msg("worker stopped")
	return nil
}

// next claims the next job once the backend is ready; nil when ctx has ended.
func (w *Worker) next(ctx context.Context) *queue.Lease {
	var b backoff
	for ctx.Err() == nil {
		now, ok := w.backend.awaitReady(ctx)
		if !ok {
			return nil
		}
		l, err := w.claim(ctx, now)
		switch {
		case l != nil:
			return l
		case errors.Is(err, context.Canceled):
			continue // to stop, or the backend's state has changed
		}
		w.metrics.claimErrors.Inc()
		if b.first() {
			w.log.Warn().Err(err).Msg("no jobs can be claimed; trying again")
		}
		if !b.wait(ctx) {
			return nil
		}
	}
	return nil
}

// claim waits for a job that the backend can run in its present state.
func (w *Worker) claim(ctx context.Context, now state) (*queue.Lease, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(now.replaced, cancel)()
	return w.queue.Claim(ctx, queue.Claimer{Worker: w.opts.ID, Languages: now.names, Full: w.places.full, Changed: w.places.changed})
}
