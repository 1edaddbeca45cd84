// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// storePause is the longest pause between two tries to store how a job ended: far less than is left of its lease.
const storePause = 800 * time.Millisecond

// run runs one job and writes how it ended. jobs ends when the job must stop; store when nothing more can be written. begun is called
// when the backend has begun with the job.
func (w *Worker) run(jobs, store context.Context, l *queue.Lease, begun func()) {
	began := time.Now()
	w.metrics.running.Inc()
	defer w.metrics.running.Dec()

	traced, span := w.startSpan(jobs, l)
	ctx, stop := context.WithCancelCause(traced)
	defer stop(nil)
	keep, endKeep := context.WithCancel(store)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := l.Keep(keep); err != nil {
			stop(err)
		}
	})
	events := &emitter{lease: l}
	keeping.Go(func() { events.run(keep) })
	overdue := time.AfterFunc(w.timeAllowed(&l.Job), func() { stop(errOverdue) })
	var started atomic.Bool // a program of the job
	var placed job.Dispatch // by the goroutine that calls on, which ends before Run returns
	res, err := w.backend.Run(ctx, w.withDefaults(l.Job), func(ev job.Event) {
		begun()
		if ev.Type == job.EventDispatched {
			w.dispatched(store, l, &placed, *ev.Dispatch)
			return
		}
		if ev.Type == job.EventStarted {
			started.Store(true)
		}
		events.add(ev)
	})
	overdue.Stop()
	endKeep()
	keeping.Wait()

	d := decide(res, w.backend.vanished(store, l.Job, err), context.Cause(ctx), started.Load())
	if d.action == release && context.Cause(ctx) == nil {
		// The place stays taken for a moment after the job is handed back: otherwise the job would be claimed again at once, again and
		// again.
		defer (&backoff{pause: 2 * firstPause}).wait(jobs)
	}
	if d.recheck {
		w.backend.recheck()
	}
	d.placed = placed
	e := w.settle(store, l, d)
	endSpan(span, d, e)
	w.report(l, d, time.Since(began), e)
}

// dispatched records where a remote backend runs the job.
func (w *Worker) dispatched(ctx context.Context, l *queue.Lease, placed *job.Dispatch, d job.Dispatch) {
	*placed = d
	w.log.Info().Str("job", l.Job.ID).Str("task", d.TaskARN).Str("tier", d.ComputeTier).Str("purchase",
		d.PurchaseOption).Msg("job dispatched")
	if err := l.Dispatch(ctx, d); err != nil { // Keep notices a lost lease; without Redis, the record has no task
		w.log.Warn().Err(err).Str("job", l.Job.ID).Msg("where the job runs is not recorded")
	}
}

// withDefaults returns the job with the worker's defaults filled in.
func (w *Worker) withDefaults(spec job.Spec) job.Spec {
	for _, l := range []*job.Limits{&spec.Compile, &spec.Run} {
		*l = l.Fill(job.Limits{OutputBytes: max(w.opts.OutputBytes, l.OutputTailBytes)})
	}
	return spec
}

// ending is how an attempt ended, for the log and the metrics.
type ending struct {
	state string // the job's state, or "lost", "released", "unstored"
	err   error  // why it could not be stored
}

// settle carries a decision out. It tries again while Redis is unreachable, however long that is: when Redis answers again no lease is
// taken over at once (graceEnd in lib_jobs.lua), so the result is stored, or the attempt given back.
func (w *Worker) settle(ctx context.Context, l *queue.Lease, d decision) ending {
	if d.action == drop {
		return ending{state: "lost"}
	}
	for b := (backoff{}); ; b.pause = min(b.pause, storePause/2) {
		state, err := apply(ctx, l, d)
		switch {
		case err == nil:
			return ending{state: state}
		case errors.Is(err, queue.ErrLeaseLost):
			return ending{state: "lost"}
		case !b.wait(ctx):
			// The lease expires and the job runs again: better than a guess.
			return ending{"unstored", err}
		}
	}
}

func apply(ctx context.Context, l *queue.Lease, d decision) (state string, err error) {
	switch d.action {
	case complete:
		return string(d.result.Status), l.Complete(ctx, outcome(l.Job.Language, l.Request, d.result, d.placed))
	case retry:
		s, err := l.Retry(ctx, d.fault)
		return string(s), err
	case fail:
		return string(queue.Failed), l.Fail(ctx, d.fault)
	default:
		s, err := l.Release(ctx, d.fault.Cause)
		if s == queue.Queued || s == queue.Retrying {
			return "released", err
		}
		return string(s), err
	}
}

// report writes the job's one log line and counts it.
func (w *Worker) report(l *queue.Lease, d decision, took time.Duration, e ending) {
	w.metrics.ended.WithLabelValues(e.state).Inc()
	if l.Attempt == 1 {
		w.metrics.waited.WithLabelValues(l.Job.Language).Observe(l.StartedAt.Sub(l.CreatedAt).Seconds())
	}
	if d.action == complete {
		w.metrics.seconds.WithLabelValues(l.Job.Language, string(d.result.Verdict)).Observe(took.Seconds())
		w.metrics.verdicts.WithLabelValues(string(d.result.Verdict)).Inc()
	}
	line := w.log.Info()
	if d.action == retry || d.action == fail || e.err != nil {
		line = w.log.Warn()
	}
	line = line.Str("job", l.Job.ID).Str("tenant", l.Job.Tenant).Str("trace", l.TraceID).Str("language", l.Job.Language).
		Int("attempt", l.Attempt).Str("status", e.state).Dur("waited", l.StartedAt.Sub(l.CreatedAt)).Dur("took", took)
	if d.action == complete {
		line = line.Str("verdict", string(d.result.Verdict)).Float64("wallMs", d.result.WallMs)
	}
	if why := d.fault.Cause; why != "" {
		line = line.Str("cause", why)
	}
	line.AnErr("error", e.err).Msg("job")
}
