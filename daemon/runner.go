package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
)

// sandbox is an *nsjail.Sandbox, or a stand-in where the order of steps is tested without a kernel's help.
type sandbox interface {
	Run(context.Context, nsjail.Process) (nsjail.Result, error)
	Ready() error
	Alive() bool
	Dir() int
	Retire()
	Close() error
}

// Causes with which a job's context is cancelled.
var (
	errCancelled = errors.New("cancelled by its caller")
	errGone      = errors.New("its caller went away")
	errShutdown  = errors.New("the daemon shuts down")
)

// linger is how long a sandbox that was made ahead is left alone when its job is over and there are cores to spare: while the answer is on
// its way through worker, queue and api, taking the sandbox down and making the next one would take the CPU away from it.
const linger = 2 * time.Millisecond

// Runner runs jobs, each in a sandbox of its own. Its methods may be called at the same time.
type Runner struct {
	languages  *catalogue
	unpack     func(context.Context, rootfs.Image) (dir string, err error)
	newSandbox func(context.Context, nsjail.Config) (sandbox, error)
	ready      *ready // nil: none is made ahead
	slots      *slots
	filters    filters
	network    string // of jobs that don't say; "" is none
	degraded   bool   // the self-test did not hold: every result says so
	metrics    *metrics
	tracer     trace.Tracer
	log        zerolog.Logger
	held       *semaphore.Weighted // bytes of output files
	teardowns  sync.WaitGroup
}

// Run runs spec and reports what happens to emit, one event at a time and in order, the result last. The sandbox is torn
// down after emit has had the result, and the slot is given back after that: the caller doesn't wait for either.
//
// An error is an *job.Error where the caller can do something about it, else a fault of ours. A job that was cancelled once
// it ran is a Result. When emit fails, nobody is listening any more and the job is cancelled.
func (r *Runner) Run(ctx context.Context, spec job.Spec, emit func(job.Event) error) (job.Result, error) {
	ctx, span := r.startSpan(ctx, &spec)
	defer span.End()
	p, root, err := r.plan(ctx, spec)
	if err != nil {
		return job.Result{}, err
	}
	if spec.Tests != nil {
		return r.runTests(ctx, &spec, p, root, emit)
	}
	slot, err := r.admit(ctx, p.lang.Name, p.need())
	if err != nil {
		return job.Result{}, err
	}
	sb, p, err := r.setUp(ctx, p, root, slot)
	if err != nil {
		r.slots.release(slot, p.need())
		return job.Result{}, err
	}
	defer r.teardowns.Go(func() {
		if _, ahead := sb.(*readyOne); ahead && !r.slots.busy() {
			time.Sleep(linger)
		}
		if r.tearDown(ctx, p.lang.Name, sb, slot) {
			r.slots.release(slot, p.need())
		}
		r.ready.nudge()
	})
	return r.runSteps(ctx, sb, p, emit)
}

// plan works out what spec comes to, and unpacks its image: the first job of a language waits for seconds here, before it has a slot.
func (r *Runner) plan(ctx context.Context, spec job.Spec) (p plan, root string, err error) {
	lang, err := r.languages.lookup(ctx, spec.Language)
	if err != nil {
		return plan{}, "", err
	}
	spec.Network = cmp.Or(spec.Network, r.network)
	if p, err = newPlan(spec, lang.profile); err != nil {
		return plan{}, "", err
	}
	root, err = r.unpack(ctx, lang.image)
	if errors.As(err, new(*rootfs.DamagedError)) {
		r.log.Error().Err(err).Str("language", lang.profile.Name).Msg("the image is damaged: its language is left out; ccee image verify tells more")
		r.languages.leaveOut(lang.image, err)
		return plan{}, "", job.Invalid("language", "is %s, whose image is damaged here: build or import it again", lang.profile.Name)
	}
	if err != nil {
		return plan{}, "", stopped(ctx, fmt.Errorf("unpack the image %s: %w", lang.image.Name, err))
	}
	return p, root, nil
}

// admit waits for a slot.
func (r *Runner) admit(ctx context.Context, language string, n need) (slot int, err error) {
	queued, waiting := time.Now(), r.span(ctx, "wait")
	slot, err = r.slots.acquire(ctx, n)
	waiting.End()
	if err != nil {
		return 0, stopped(ctx, err)
	}
	r.metrics.waitSeconds.WithLabelValues(language).Observe(time.Since(queued).Seconds())
	return slot, nil
}

// setUp takes a sandbox for p that is ready, or builds one with the ids of slot. It returns the plan for that one.
func (r *Runner) setUp(ctx context.Context, p plan, root string, slot int) (sandbox, plan, error) {
	start, building := time.Now(), r.span(ctx, "set_up")
	defer building.End()
	if sb, warm := r.ready.take(p, root, r.filters.of(p)); sb != nil {
		state := "ready"
		if warm {
			state, p = "warm", p.warmed()
		}
		r.metrics.sandboxes.WithLabelValues(state).Inc()
		r.metrics.setUpSeconds.WithLabelValues(p.lang.Name).Observe(time.Since(start).Seconds())
		return sb, p, nil
	}
	sb, err := r.newSandbox(ctx, p.config(root, slot))
	if err != nil {
		return nil, p, stopped(ctx, fmt.Errorf("build a sandbox: %w", err))
	}
	r.metrics.sandboxes.WithLabelValues("cold").Inc()
	r.metrics.setUpSeconds.WithLabelValues(p.lang.Name).Observe(time.Since(start).Seconds())
	return sb, p, nil
}

// tearDown destroys sb and reports whether its slot can be used again. A sandbox that can't be destroyed may still have processes under
// the slot's ids: then the slot stays out of service until the daemon is started anew.
func (r *Runner) tearDown(ctx context.Context, language string, sb sandbox, slot int) bool {
	defer r.span(ctx, "tear_down").End()
	start := time.Now()
	if err := sb.Close(); err != nil {
		r.metrics.lostSlots.Inc()
		r.log.Error().Err(err).Int("slot", slot).Msg("sandbox not torn down: its slot is out of service")
		return false
	}
	r.metrics.tearDownSeconds.WithLabelValues(language).Observe(time.Since(start).Seconds())
	return true
}

// wait returns when every sandbox is torn down. No Run may be under way.
func (r *Runner) wait() {
	r.teardowns.Wait()
	r.ready.close()
}

// stopped says in the words of the wire why a job ended before it ran, when that was for the end of ctx; else it is err.
func stopped(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return err
	case errors.Is(cause, errShutdown):
		return errDraining()
	default:
		return job.Errorf(job.ECancelled, "the job was cancelled before it ran")
	}
}
