// SPDX-License-Identifier: Apache-2.0

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

	"github.com/ccee-dev/ccee/daemon/outputs"
	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/daemon/ready"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
)

// sandbox is an *nsjail.Sandbox, a prewarmed *ready.Sandbox, or a stand-in where the order of steps is tested without the kernel.
type sandbox = ready.Jail

// Causes with which a job's context is cancelled.
var (
	errCancelled = errors.New("cancelled by its caller")
	errGone      = errors.New("its caller disconnected")
	errShutdown  = errors.New("the daemon shuts down")
)

// linger is how long a prewarmed sandbox is left alone when its job is over and cores are idle: closing it and making the next one would
// take CPU time from the answer, which is on its way through worker, queue and api.
const linger = 2 * time.Millisecond

// Runner runs jobs, each in a sandbox of its own. Its methods may be called at the same time.
type Runner struct {
	languages  *catalogue
	unpack     func(context.Context, rootfs.Image) (dir string, err error)
	newSandbox func(context.Context, nsjail.Config) (sandbox, error)
	ready      *ready.Pool
	slots      *slots.Pool
	outputs    *outputs.Collector
	filters    filters
	network    string // of jobs that don't ask for one; "" is none
	tier       string // of every result
	weights    weights
	metrics    *metrics
	tracer     trace.Tracer
	log        zerolog.Logger
	teardowns  sync.WaitGroup
}

// Run runs spec and reports its events to emit, one at a time and in order, the result last. The sandbox is torn down after emit got the
// result, and then the slot is released: the caller waits for neither.
//
// An error is an *job.Error where the caller can do something about it, else a fault of ours. A job that is cancelled once
// it runs has a Result. If emit fails nobody listens any more, and the job is cancelled.
func (r *Runner) Run(ctx context.Context, spec job.Spec, emit func(job.Event) error) (job.Result, error) {
	if err := r.refuse(&spec); err != nil {
		return job.Result{}, err
	}
	ctx, span := r.startSpan(ctx, &spec)
	defer span.End()
	p, root, err := r.plan(ctx, spec)
	if err != nil {
		return job.Result{}, err
	}
	if spec.Tests != nil {
		return r.runTests(ctx, &spec, p, root, emit)
	}
	need := p.Need()
	slot, err := r.admit(ctx, p.Lang.Name, need)
	if err != nil {
		return job.Result{}, err
	}
	sb, p, err := r.setUp(ctx, p, root, slot)
	if err != nil {
		r.slots.Release(slot, need)
		return job.Result{}, err
	}
	defer r.teardowns.Go(func() {
		if _, prewarmed := sb.(*ready.Sandbox); prewarmed && !r.slots.Busy() {
			time.Sleep(linger)
		}
		if r.tearDown(ctx, p.Lang.Name, sb, slot) {
			r.slots.Release(slot, need)
		}
		r.ready.Nudge()
	})
	return r.runSteps(ctx, sb, p, &need, emit)
}

// plan plans spec and unpacks its image. The first job of a language waits here for seconds, before it has a slot.
func (r *Runner) plan(ctx context.Context, spec job.Spec) (p plan.Plan, root string, err error) {
	lang, err := r.languages.lookup(ctx, spec.Language)
	if err != nil {
		return plan.Plan{}, "", err
	}
	spec.Network = cmp.Or(spec.Network, r.network)
	if p, err = plan.New(spec, lang.profile); err != nil {
		return plan.Plan{}, "", err
	}
	root, err = r.unpackSound(ctx, lang.image)
	if errors.As(err, new(*rootfs.DamagedError)) || errors.As(err, new(*rootfs.TreeError)) {
		r.languages.withdraw(lang.image, err, withdrawFor)
		_, _ = r.languages.current(ctx) // logs it
		return plan.Plan{}, "", job.Invalid("language", "is %s, whose image is damaged here: build or import it again", lang.profile.Name)
	}
	if err != nil {
		return plan.Plan{}, "", stopped(ctx, fmt.Errorf("unpack the image %s: %w", lang.image.Name, err))
	}
	return p, root, nil
}

// unpackSound unpacks an image, and again where the tree from before was damaged and is removed.
func (r *Runner) unpackSound(ctx context.Context, image rootfs.Image) (root string, err error) {
	root, err = r.unpack(ctx, image)
	if fault := (*rootfs.TreeError)(nil); errors.As(err, &fault) && fault.Removed {
		r.log.Error().Err(err).Msg("an image is unpacked again")
		return r.unpack(ctx, image)
	}
	return root, err
}

// admit waits for a slot.
func (r *Runner) admit(ctx context.Context, language string, n slots.Need) (slot int, err error) {
	queued, waiting := time.Now(), r.span(ctx, "wait")
	slot, err = r.slots.Acquire(ctx, n)
	waiting.End()
	if err != nil {
		return 0, stopped(ctx, err)
	}
	r.metrics.waitSeconds.WithLabelValues(language).Observe(time.Since(queued).Seconds())
	return slot, nil
}

// setUp takes a prewarmed sandbox for p, or builds one with the ids of slot. It returns p as adapted to that sandbox.
func (r *Runner) setUp(ctx context.Context, p plan.Plan, root string, slot int) (sandbox, plan.Plan, error) {
	start, building := time.Now(), r.span(ctx, "set_up")
	defer building.End()
	sb, p, from, err := r.takeOrBuild(ctx, p, root, slot)
	if err != nil {
		return nil, p, stopped(ctx, fmt.Errorf("build a sandbox: %w", err))
	}
	r.metrics.sandboxes.WithLabelValues(from).Inc()
	r.metrics.setUpSeconds.WithLabelValues(p.Lang.Name).Observe(time.Since(start).Seconds())
	return sb, p, nil
}

// takeOrBuild does the work of setUp. from is the metric's word for where the sandbox comes from.
func (r *Runner) takeOrBuild(ctx context.Context, p plan.Plan, root string, slot int) (_ sandbox, adapted plan.Plan, from string, _ error) {
	if r.ready != nil && p.Usual() {
		sb, warm := r.ready.Take(r.request(p, root))
		switch {
		case warm:
			return sb, p.Warmed(), "warm", nil
		case sb != nil:
			return sb, p, "ready", nil
		}
	}
	sb, err := r.newSandbox(ctx, p.Config(root, slot))
	return sb, p, "cold", err
}

// request asks for a prewarmed sandbox that can serve p.
func (r *Runner) request(p plan.Plan, root string) ready.Request {
	program := p.WarmProgram()
	if program != nil {
		filtered := r.filters.of(p).on(*program)
		program = &filtered
	}
	return ready.Request{Config: p.PrewarmConfig(root), Program: program, Tenant: p.Tenant, Language: p.Lang.Name}
}

// tearDown destroys sb and reports whether its slot can be used again. A sandbox that can't be destroyed may still have processes under
// the slot's ids: then the slot stays out of service until the daemon is restarted.
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

// wait returns when every sandbox is torn down. It must not be called while Run runs.
func (r *Runner) wait() {
	r.teardowns.Wait()
	r.ready.Close()
}

// stopped is the error of a job that ended before it ran: if that was because ctx ended, an *job.Error that says why; else err.
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
