// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// events passes a job's events to its caller one at a time: a step's start and its output come from different goroutines.
type events struct {
	began  time.Time
	cancel context.CancelCauseFunc

	mu   sync.Mutex // guards all below
	emit func(job.Event) error
	err  error
}

// newEvents returns the events of a job that begins now. cancel ends the job's context.
func newEvents(cancel context.CancelCauseFunc, emit func(job.Event) error) *events {
	return &events{began: time.Now(), cancel: cancel, emit: emit}
}

// send passes ev on. The first failure cancels the job, and nothing is sent after it.
func (e *events) send(ev job.Event) {
	ev.AtMs = plan.Milliseconds(time.Since(e.began))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return
	}
	if e.err = e.emit(ev); e.err != nil {
		e.cancel(errGone)
	}
}

// runSteps runs the steps of p in sb until one fails. Of need, which is reserved for p, it gives back what the steps that are left don't
// need.
func (r *Runner) runSteps(ctx context.Context, sb sandbox, p plan.Plan, need *slots.Need, emit func(job.Event) error) (job.Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ev := newEvents(cancel, emit)
	leave, err := r.shareCPU(p.Tenant, sb)
	if err != nil {
		return job.Result{}, err
	}
	defer leave()

	var done []job.Step
	cut := false // by the end of ctx
	for i, s := range p.Steps {
		if cut = ctx.Err() != nil; cut {
			break
		}
		rest := p.NeedFrom(i)
		r.slots.Shrink(*need, rest)
		*need = rest
		got, err := r.runStep(ctx, sb, s, r.filters.of(p), ev)
		if err != nil {
			return job.Result{}, stopped(ctx, err)
		}
		done = append(done, got)
		cut = got.Verdict == job.VerdictCancelled
		if !got.OK() {
			break
		}
	}
	// A job that a shutdown cut short has no outcome: it has to run again elsewhere.
	if cut && (len(done) == 0 || errors.Is(context.Cause(ctx), errShutdown)) {
		return job.Result{}, stopped(ctx, errShutdown)
	}
	res := plan.JobResult(done, p.Lang.Image, time.Since(ev.began), cut)
	if p.Outputs != nil {
		release := func() {}
		defer func() { release() }()
		err := asOwner(sb, func() {
			res.OutputFiles, release = r.outputs.Collect(ctx, sb.Dir(), p.Outputs, res.Last().Limits)
		})
		if err != nil {
			return job.Result{}, fmt.Errorf("read the output files: %w", err)
		}
	}
	r.finish(p.Lang.Name, &res, ev)
	return res, nil
}

// finish completes a result, counts it and sends it.
func (r *Runner) finish(language string, res *job.Result, ev *events) {
	res.Tier = r.tier
	r.metrics.finished(language, res)
	ev.send(job.Event{Type: job.EventResult, Result: res})
}

// runStep runs one program; ev is nil for one that the caller gets no events of. However that program ends is a job.Step; an error is a
// fault of ours.
func (r *Runner) runStep(ctx context.Context, sb sandbox, s plan.Step, f filter, ev *events) (job.Step, error) {
	defer r.span(ctx, s.Name).End()
	send := func(ev *events, e job.Event) {
		if ev != nil {
			e.Step, e.Test = s.Name, s.Test
			ev.send(e)
		}
	}
	// Output may be read before the sandbox reports that the program was executed; the caller must get the start first.
	started := sync.OnceFunc(func() { send(ev, job.Event{Type: job.EventStarted}) })
	proc := f.on(s.Process())
	proc.OnStart = started
	proc.OnOutput = func(c nsjail.Chunk, b []byte) {
		started()
		send(ev, job.Event{Type: job.EventType(plan.StreamName(c)), Data: b, Offset: c.Offset})
	}
	res, err := sb.Run(ctx, proc)
	if err == nil && (res.Verdict == nsjail.Internal || res.Verdict == nsjail.StartFailed && !causedByJob(s, res.Err)) {
		err = cmp.Or(res.Err, errors.New("internal, and the sandbox did not say why"))
	}
	if err != nil {
		return job.Step{}, fmt.Errorf("%s step: %w", s.Name, err)
	}
	started()
	got := s.Result(res)
	got.DeniedSyscalls = f.denied(res)
	send(ev, job.Event{Type: job.EventExited, Verdict: got.Verdict, ExitCode: got.ExitCode, Signal: got.Signal})
	return got, nil
}

// hostErrors are errors that are due to the host's state and never to anything that a job made. EIO is not among them: execve returns it
// for a program whose headers reach beyond its end, and a tmpfs has no other cause for it.
var hostErrors = []unix.Errno{unix.ENOMEM, unix.EAGAIN, unix.ENFILE, unix.EMFILE}

// causedByJob reports whether it is the job's fault that a program could not be started, so that trying again is no use. One of these is
// so: the program, which the compile step was to make in the workspace, can't be executed; an earlier step closed the workspace; the
// arguments exceed the kernel's bound; the files don't fit into the workspace, or something is in their place, such as a file of a
// checker's build where its input goes.
func causedByJob(s plan.Step, err error) bool {
	var at *nsjail.OpError
	if !errors.As(err, &at) {
		return false
	}
	switch at.Stage {
	case nsjail.StageExecve:
		return at.Err == unix.E2BIG || strings.HasPrefix(s.Args[0], plan.WorkDir+"/") && !slices.Contains(hostErrors, at.Err)
	case nsjail.StageChdir:
		return s.After && !slices.Contains(hostErrors, at.Err)
	case nsjail.StageFiles:
		return slices.Contains([]unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.ENAMETOOLONG, unix.EEXIST, unix.ENOTDIR, unix.EISDIR}, at.Err)
	}
	return false
}
