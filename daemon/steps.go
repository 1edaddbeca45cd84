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

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// events gives a job's events to its caller one at a time: a step's start and its output are noticed at the same time.
type events struct {
	began  time.Time
	cancel context.CancelCauseFunc

	mu   sync.Mutex // guards all below
	emit func(job.Event) error
	err  error
}

// send passes ev on. After the first failure nothing more is sent and the job is cancelled.
func (e *events) send(ev job.Event) {
	ev.AtMs = milliseconds(time.Since(e.began))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return
	}
	if e.err = e.emit(ev); e.err != nil {
		e.cancel(errGone)
	}
}

// runSteps runs p's steps in sb until one fails.
func (r *Runner) runSteps(ctx context.Context, sb sandbox, p plan, emit func(job.Event) error) (job.Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ev := &events{began: time.Now(), cancel: cancel, emit: emit}

	var done []job.Step
	cut := false // by the end of ctx
	for _, s := range p.steps {
		if cut = ctx.Err() != nil; cut {
			break
		}
		running := r.span(ctx, s.name)
		got, err := runStep(ctx, sb, s, r.filters.of(p), ev)
		running.End()
		if err != nil {
			return job.Result{}, stopped(ctx, fmt.Errorf("%s step: %w", s.name, err))
		}
		done = append(done, got)
		cut = got.Verdict == job.VerdictCancelled
		if !got.OK() {
			break
		}
	}
	// A job that a shutdown cut short has no outcome: it is to be run again elsewhere.
	if cut && (len(done) == 0 || errors.Is(context.Cause(ctx), errShutdown)) {
		return job.Result{}, stopped(ctx, errShutdown)
	}
	res := jobResult(done, p.lang.Image, time.Since(ev.began), cut)
	if p.outputs != nil {
		files, release := outputFiles(ctx, sb.Dir(), p.outputs, res.Last().Limits, r.held)
		defer release()
		res.OutputFiles = files
	}
	if r.degraded {
		res.Tier = degradedTier
	}
	r.metrics.finished(p.lang.Name, &res)
	ev.send(job.Event{Type: job.EventResult, Result: &res})
	return res, nil
}

// runStep runs one program. Whatever that program does is a job.Step; an error is a fault of ours.
func runStep(ctx context.Context, sb sandbox, s step, f filter, ev *events) (job.Step, error) {
	// Output may be read before the news that the program was executed; the caller must hear of the start first.
	started := sync.OnceFunc(func() { ev.send(job.Event{Type: job.EventStarted, Step: s.name, Test: s.test}) })
	proc := s.process(f)
	proc.OnStart = started
	proc.OnOutput = func(c nsjail.Chunk, b []byte) {
		started()
		ev.send(job.Event{Type: job.EventType(streamName(c)), Step: s.name, Test: s.test, Data: b, Offset: c.Offset})
	}
	r, err := sb.Run(ctx, proc)
	if err != nil {
		return job.Step{}, err
	}
	if r.Verdict == nsjail.Internal || r.Verdict == nsjail.StartFailed && !causedByJob(s, r.Err) {
		return job.Step{}, cmp.Or(r.Err, errors.New("internal, and the sandbox didn't say why"))
	}
	started()
	got := stepResult(s, r)
	got.DeniedSyscalls = f.denied(r)
	ev.send(job.Event{Type: job.EventExited, Step: s.name, Test: s.test, Verdict: got.Verdict, ExitCode: got.ExitCode, Signal: got.Signal})
	return got, nil
}

// hosts are the errors that tell of the host's state and never of what a job has made. EIO is not among them: it is what execve says of a program whose
// headers reach beyond its end, and a tmpfs has no other cause for it.
var hosts = []unix.Errno{unix.ENOMEM, unix.EAGAIN, unix.ENFILE, unix.EMFILE}

// causedByJob reports whether a program that could not be started has its job to blame, so that trying again is no use. What a step before has
// left is in the way: the program that the compile step was to make in the workspace can't be executed, for whatever reason, or the workspace
// is closed. Or the arguments are beyond the kernel's bound, or the files don't fit into the workspace, or not together: a checker's build may
// have left something where its input goes.
func causedByJob(s step, err error) bool {
	var at *nsjail.OpError
	if !errors.As(err, &at) {
		return false
	}
	switch at.Stage {
	case nsjail.StageExecve:
		return at.Err == unix.E2BIG || strings.HasPrefix(s.args[0], workDir+"/") && !slices.Contains(hosts, at.Err)
	case nsjail.StageChdir:
		return s.after && !slices.Contains(hosts, at.Err)
	case nsjail.StageFiles:
		return slices.Contains([]unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.ENAMETOOLONG, unix.EEXIST, unix.ENOTDIR, unix.EISDIR}, at.Err)
	}
	return false
}
