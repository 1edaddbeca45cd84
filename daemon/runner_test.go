// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/outputs"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
)

// scripted is a sandbox whose programs do what the test says, one function a step.
type scripted struct {
	steps  []func(context.Context, nsjail.Process) (nsjail.Result, error)
	calls  *[]string
	closed error

	unweighed error // what SetCPUWeight returns
}

func (s *scripted) Run(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
	*s.calls = append(*s.calls, p.Args[0])
	next := s.steps[0]
	s.steps = s.steps[1:]
	return next(ctx, p)
}

func (s *scripted) Ready() error { return nil }
func (s *scripted) Alive() bool  { return true }
func (s *scripted) Dir() int     { return -1 }

func (s *scripted) SetCPUWeight(weight int64) error {
	*s.calls = append(*s.calls, fmt.Sprint("weight ", weight))
	return s.unweighed
}

func (s *scripted) Retire() {
	*s.calls = append(*s.calls, "retire")
}

func (s *scripted) Close() error {
	*s.calls = append(*s.calls, "close")
	return s.closed
}

func exits(code int) func(context.Context, nsjail.Process) (nsjail.Result, error) {
	return func(_ context.Context, p nsjail.Process) (nsjail.Result, error) {
		p.OnStart()
		return nsjail.Result{Verdict: nsjail.Exited, Exited: true, ExitCode: code}, nil
	}
}

func ends(r nsjail.Result, err error) func(context.Context, nsjail.Process) (nsjail.Result, error) {
	return func(context.Context, nsjail.Process) (nsjail.Result, error) { return r, err }
}

// rig is a Runner with one scripted sandbox, and what was seen of it.
type rig struct {
	*Runner
	sb     *scripted
	calls  []string
	events []job.Event
	emit   func(job.Event) error
}

func newRig(steps ...func(context.Context, nsjail.Process) (nsjail.Result, error)) *rig {
	r := &rig{}
	r.sb = &scripted{steps: steps, calls: &r.calls}
	sl := slots.New(slots.Budget{Slots: 1, Memory: 1 << 40, Millicores: 1 << 20, Pids: 1 << 20, Machine: 1 << 20, Share: 100, Queue: 1, Wait: time.Minute})
	r.Runner = &Runner{
		tracer: (&Options{}).tracer(),
		languages: offering(
			profiled("python", pythonProfile, 1),
			profiled("java", `{"name":"java","sourceFile":"Main.java","publicClass":true,"compile":["/javac","{source}"],"run":["/workspace/java","{class}"]}`, 1)),
		unpack:     func(context.Context, rootfs.Image) (string, error) { return "/trees/x", nil },
		newSandbox: func(context.Context, nsjail.Config) (sandbox, error) { return r.sb, nil },
		slots:      sl, outputs: outputs.NewCollector(), filters: filters{none: filter{bpf: []byte("bpf")}}, metrics: newMetrics(sl), log: zerolog.New(io.Discard),
	}
	r.emit = func(ev job.Event) error {
		if ev.Type == job.EventResult {
			r.calls = append(r.calls, "answer")
		}
		ev.Data = slices.Clone(ev.Data)
		r.events = append(r.events, ev)
		return nil
	}
	return r
}

func (r *rig) run(ctx context.Context, language string) (job.Result, error) {
	res, err := r.Run(ctx, job.Spec{ID: "1", Language: language, Source: "x"}, r.emit)
	r.wait()
	return res, err
}

func (r *rig) types() string {
	var list []string
	for _, ev := range r.events {
		list = append(list, strings.TrimSuffix(string(ev.Type)+":"+ev.Step, ":"))
	}
	return strings.Join(list, " ")
}

func TestRunSteps(t *testing.T) {
	for _, tt := range []struct {
		name   string
		steps  []func(context.Context, nsjail.Process) (nsjail.Result, error)
		calls  string
		events string
		status job.Status
	}{
		{"both", []func(context.Context, nsjail.Process) (nsjail.Result, error){exits(0), exits(0)},
			"[/javac /workspace/java answer close]", "started:compile exited:compile started:run exited:run result", job.Succeeded},
		{"compile error stops", []func(context.Context, nsjail.Process) (nsjail.Result, error){exits(1)},
			"[/javac answer close]", "started:compile exited:compile result", job.Failed},
		{"run fails", []func(context.Context, nsjail.Process) (nsjail.Result, error){exits(0), ends(nsjail.Result{Verdict: nsjail.OOMKilled}, nil)},
			"[/javac /workspace/java answer close]", "started:compile exited:compile started:run exited:run result", job.Failed},
		{"start fails by the job", []func(context.Context, nsjail.Process) (nsjail.Result, error){exits(0), ends(nsjail.Result{Verdict: nsjail.StartFailed, Err: &nsjail.OpError{Stage: nsjail.StageExecve, What: "execve", Err: unix.ENOENT}}, nil)},
			"[/javac /workspace/java answer close]", "started:compile exited:compile started:run exited:run result", job.Failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(tt.steps...)
			res, err := r.run(t.Context(), "java")
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(r.calls); got != tt.calls {
				t.Errorf("order %s, want %s", got, tt.calls)
			}
			if got := r.types(); got != tt.events {
				t.Errorf("events %q, want %q", got, tt.events)
			}
			if res.Status != tt.status {
				t.Errorf("status %s, want %s", res.Status, tt.status)
			}
		})
	}
}

func TestStartedComesBeforeOutput(t *testing.T) {
	r := newRig(func(_ context.Context, p nsjail.Process) (nsjail.Result, error) {
		p.OnOutput(nsjail.Chunk{Stream: 2, Bytes: 5}, []byte("early"))
		p.OnStart()
		p.OnOutput(nsjail.Chunk{Stream: 1, Bytes: 4}, []byte("late"))
		return nsjail.Result{Verdict: nsjail.Exited, Exited: true}, nil
	})
	if _, err := r.run(t.Context(), "python"); err != nil {
		t.Fatal(err)
	}
	if got, want := r.types(), "started:run stderr:run stdout:run exited:run result"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	if string(r.events[1].Data) != "early" {
		t.Errorf("stderr %q, want early", r.events[1].Data)
	}
}

func TestOurFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		step func(context.Context, nsjail.Process) (nsjail.Result, error)
		says string
	}{
		{"an error", ends(nsjail.Result{}, errors.New("socket broke")), "run step: socket broke"},
		{"internal", ends(nsjail.Result{Verdict: nsjail.Internal, Err: errors.New("init died")}, nil), "init died"},
		{"internal without a cause", ends(nsjail.Result{}, nil), "internal"},
		{"runtime missing in the image", ends(nsjail.Result{Verdict: nsjail.StartFailed, Err: &nsjail.OpError{Stage: nsjail.StageExecve, What: "execve", Err: unix.ENOENT}}, nil), "execve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(tt.step)
			_, err := r.run(t.Context(), "python")
			if job.ErrorCode(err) != job.EInternal || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("Run = %v, want a fault of ours that says %q", err, tt.says)
			}
			if running, _, _ := r.slots.InUse(); running != 0 || r.calls[len(r.calls)-1] != "close" {
				t.Errorf("%d slots in use after %v, want none and a closed sandbox", running, r.calls)
			}
		})
	}
}

func TestCancelledJobs(t *testing.T) {
	cancelled := ends(nsjail.Result{Verdict: nsjail.Cancelled, Signal: unix.SIGKILL}, nil)
	for _, tt := range []struct {
		name   string
		cause  error
		after  int // steps that end well before the cause comes
		status job.Status
		code   job.Code
		calls  string
	}{
		{"by its caller, in the compile step", errCancelled, 0, job.StatusCancelled, "", "[/javac answer close]"},
		{"by its caller, in the run step", errCancelled, 1, job.StatusCancelled, "", "[/javac /workspace/java answer close]"},
		{"by shutdown", errShutdown, 1, "", job.EUnavailable, "[/javac /workspace/java close]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			var steps []func(context.Context, nsjail.Process) (nsjail.Result, error)
			for range tt.after {
				steps = append(steps, exits(0))
			}
			steps = append(steps, func(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
				p.OnStart()
				cancel(tt.cause)
				<-ctx.Done()
				return cancelled(ctx, p)
			})
			r := newRig(steps...)
			res, err := r.run(ctx, "java")
			if res.Status != tt.status || job.ErrorCode(err) != tt.code {
				t.Errorf("Run = %q, %v, want %q, code %q", res.Status, err, tt.status, tt.code)
			}
			if got := fmt.Sprint(r.calls); got != tt.calls {
				t.Errorf("order %s, want %s", got, tt.calls)
			}
		})
	}
}

// Cancelled in the moment between two steps, a job has a first step that ended well, and still is cancelled.
func TestCancelledBetweenSteps(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r := newRig(func(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
		cancel(errCancelled)
		return exits(0)(ctx, p)
	})
	res, err := r.run(ctx, "java")
	if err != nil || res.Status != job.StatusCancelled || res.Verdict != job.VerdictCancelled || len(res.Steps) != 1 || !res.Steps[0].OK() {
		t.Errorf("Run = %+v, %v, want a cancelled job with one good step", res, err)
	}
}

// A job whose caller reads no more events is cancelled: nobody waits for its result.
func TestDeafCallerCancels(t *testing.T) {
	r := newRig(func(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
		p.OnStart()
		if _, err := patience.Wait(ctx.Done(), "the failed write ends the job"); err != nil {
			t.Error(err)
		}
		if context.Cause(ctx) != errGone {
			t.Errorf("cancelled for %v, want %v", context.Cause(ctx), errGone)
		}
		return nsjail.Result{Verdict: nsjail.Cancelled}, nil
	})
	sent := 0
	r.emit = func(job.Event) error { sent++; return io.ErrClosedPipe }
	if _, err := r.run(t.Context(), "python"); err != nil {
		t.Error(err)
	}
	if sent != 1 {
		t.Errorf("%d events sent, want none after the first failure", sent)
	}
}

func TestBeforeTheSandbox(t *testing.T) {
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errCancelled)
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		spoil func(*rig)
		code  job.Code
	}{
		{"no image tree", t.Context(), func(r *rig) {
			r.unpack = func(context.Context, rootfs.Image) (string, error) { return "", errors.New("disk full") }
		}, job.EInternal},
		{"no sandbox", t.Context(), func(r *rig) {
			r.newSandbox = func(context.Context, nsjail.Config) (sandbox, error) { return nil, errors.New("clone: EAGAIN") }
		}, job.EInternal},
		{"cancelled while the sandbox is built", gone, func(r *rig) {
			r.newSandbox = func(context.Context, nsjail.Config) (sandbox, error) { return nil, context.Canceled }
		}, job.ECancelled},
	} {
		r := newRig()
		tt.spoil(r)
		if _, err := r.run(tt.ctx, "python"); job.ErrorCode(err) != tt.code {
			t.Errorf("%s: %v, want code %s", tt.name, err, tt.code)
		}
		if running, _, _ := r.slots.InUse(); running != 0 || len(r.events) != 0 {
			t.Errorf("%s: %d slots in use and events %q, want none", tt.name, running, r.types())
		}
	}
}

// Processes may live on under the ids of a sandbox that can't be destroyed: no other job may get them.
func TestSlotOfABrokenSandboxIsNotReused(t *testing.T) {
	r := newRig(exits(0))
	r.sb.closed = errors.New("cgroup is busy")
	if _, err := r.run(t.Context(), "python"); err != nil {
		t.Fatal(err)
	}
	if running, _, _ := r.slots.InUse(); running != 1 {
		t.Errorf("%d slots in use, want the broken one out of service", running)
	}
}

// A sandbox that can't be torn down ends a job with tests: the next one would have its ids. The slot is out of service.
func TestTestsLoseTheirSlot(t *testing.T) {
	r := newRig(exits(0), exits(0))
	r.sb.closed = errors.New("a process does not die")
	_, err := r.Run(t.Context(), job.Spec{ID: "1", Language: "python", Source: "x", Tests: &job.Tests{List: make([]job.Test, 2)}}, r.emit)
	if err == nil || len(r.calls) != 2 || r.calls[1] != "close" {
		t.Errorf("%v after %v, want an error after one test", err, r.calls)
	}
	if used, _, _ := r.slots.InUse(); used != 1 {
		t.Errorf("%d slots are in use, want the lost one", used)
	}
}

// Every test has a sandbox of its own, which is gone before the next one is there.
func TestTestsSandboxes(t *testing.T) {
	r := newRig(exits(0), exits(0), exits(0), exits(0))
	made := 0
	r.newSandbox = func(_ context.Context, cfg nsjail.Config) (sandbox, error) {
		if made++; len(r.calls) != 2*(made-1) {
			t.Errorf("sandbox %d is made after %v", made, r.calls)
		}
		return r.sb, nil
	}
	res, err := r.Run(t.Context(), job.Spec{ID: "1", Language: "java", Source: "x", Tests: &job.Tests{List: make([]job.Test, 3)}}, r.emit)
	if err != nil || res.Status != job.Succeeded || made != 4 || len(res.Steps) != 1 {
		t.Errorf("%s, %v after %d sandboxes, %d steps", res.Status, err, made, len(res.Steps))
	}
	if got := r.types(); got != "started:compile exited:compile started:run exited:run test started:run exited:run test started:run exited:run test result" {
		t.Errorf("events %s", got)
	}
	if used, _, _ := r.slots.InUse(); used != 0 {
		t.Errorf("%d slots are in use", used)
	}
}
