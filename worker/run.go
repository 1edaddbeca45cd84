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

// storePause is the longest pause between two tries to store what became of a job: far less than is left of its lease.
const storePause = 800 * time.Millisecond

// run runs one job and settles it. jobs ends when the job must stop; store when nothing more can be written. begun is called when the backend
// has begun with it.
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
	told := &emitter{lease: l}
	keeping.Go(func() { told.run(keep) })
	var started atomic.Bool // a program of the job
	res, err := w.backend.Run(ctx, w.withDefaults(l.Job), func(ev job.Event) {
		begun()
		if ev.Type == job.EventStarted {
			started.Store(true)
		}
		told.add(ev)
	})
	endKeep()
	keeping.Wait()

	v := decide(res, err, context.Cause(ctx), started.Load())
	if v.do == release && context.Cause(ctx) == nil {
		// The slot stays taken for a moment after the job is handed back: else it would be claimed again at once, and again.
		defer (&backoff{pause: 2 * firstPause}).wait(jobs)
	}
	if v.doubt {
		w.backend.doubt()
	}
	s := w.settle(store, l, v)
	endSpan(span, v, s)
	w.report(l, v, time.Since(began), s)
}

// withDefaults is the job with the worker's own defaults.
func (w *Worker) withDefaults(spec job.Spec) job.Spec {
	for _, l := range []*job.Limits{&spec.Compile, &spec.Run} {
		*l = l.Fill(job.Limits{OutputBytes: max(w.opts.OutputBytes, l.OutputTailBytes)})
	}
	return spec
}

// settled says what became of a job, for the log and the counters.
type settled struct {
	state string // the job's state, or "lost", "released", "unstored"
	err   error  // why it could not be stored
}

// settle does what was decided, and repeats it while Redis is away, however long that is: when it comes back no lease is taken at once
// (claim.lua), so the result is stored, or the attempt given back.
func (w *Worker) settle(ctx context.Context, l *queue.Lease, v verdict) settled {
	if v.do == nothing {
		return settled{state: "lost"}
	}
	for b := (backoff{}); ; b.pause = min(b.pause, storePause/2) {
		state, err := apply(ctx, l, v)
		switch {
		case err == nil:
			return settled{state: state}
		case errors.Is(err, queue.ErrLeaseLost):
			return settled{state: "lost"}
		case !b.wait(ctx):
			// The lease runs out, and the job is run again: better than a guess.
			return settled{"unstored", err}
		}
	}
}

func apply(ctx context.Context, l *queue.Lease, v verdict) (state string, err error) {
	switch v.do {
	case complete:
		return string(v.result.Status), l.Complete(ctx, outcome(l.Job.Language, l.Request, v.result))
	case retry:
		s, err := l.Retry(ctx, v.fault)
		return string(s), err
	case fail:
		return string(queue.Failed), l.Fail(ctx, v.fault)
	default:
		s, err := l.Release(ctx, v.fault.Cause)
		if s == queue.Queued || s == queue.Retrying {
			return "released", err
		}
		return string(s), err
	}
}

// report writes the job's one log line and counts it.
func (w *Worker) report(l *queue.Lease, v verdict, took time.Duration, s settled) {
	w.metrics.ended.WithLabelValues(s.state).Inc()
	if l.Attempt == 1 {
		w.metrics.waited.WithLabelValues(l.Job.Language).Observe(l.StartedAt.Sub(l.CreatedAt).Seconds())
	}
	if v.do == complete {
		w.metrics.seconds.WithLabelValues(l.Job.Language, string(v.result.Verdict)).Observe(took.Seconds())
		w.metrics.verdicts.WithLabelValues(string(v.result.Verdict)).Inc()
	}
	e := w.log.Info()
	if v.do == retry || v.do == fail || s.err != nil {
		e = w.log.Warn()
	}
	e = e.Str("job", l.Job.ID).Str("tenant", l.Job.Tenant).Str("trace", l.TraceID).Str("language", l.Job.Language).
		Int("attempt", l.Attempt).Str("status", s.state).Dur("waited", l.StartedAt.Sub(l.CreatedAt)).Dur("took", took)
	if v.do == complete {
		e = e.Str("verdict", string(v.result.Verdict)).Float64("wallMs", v.result.WallMs)
	}
	if why := v.fault.Cause; why != "" {
		e = e.Str("cause", why)
	}
	e.AnErr("error", s.err).Msg("job")
}
