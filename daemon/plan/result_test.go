// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

func TestStepResult(t *testing.T) {
	s := Step{Name: "run", Limits: job.DefaultRun}
	zero, three := 0, 3
	for _, tt := range []struct {
		name string
		in   nsjail.Result
		want job.Step
	}{
		{"exit 0", nsjail.Result{Verdict: nsjail.Exited, Exited: true}, job.Step{Verdict: job.Exited, ExitCode: &zero}},
		{"exit 3", nsjail.Result{Verdict: nsjail.Exited, Exited: true, ExitCode: 3}, job.Step{Verdict: job.Exited, ExitCode: &three}},
		{"signal", nsjail.Result{Verdict: nsjail.Signaled, Signal: unix.SIGSEGV}, job.Step{Verdict: job.Signaled, Signal: "SIGSEGV"}},
		{"real-time signal", nsjail.Result{Verdict: nsjail.Signaled, Signal: 40}, job.Step{Verdict: job.Signaled, Signal: "SIG40"}},
		{"bad syscall", nsjail.Result{Verdict: nsjail.BadSyscall, Signal: unix.SIGSYS}, job.Step{Verdict: job.BadSyscall, Signal: "SIGSYS"}},
		{"start failed", nsjail.Result{Verdict: nsjail.StartFailed, Err: errors.New("execve /x: gone")}, job.Step{Verdict: job.StartFailed, Message: "execve /x: gone"}},
		{"files don't fit", nsjail.Result{Verdict: nsjail.StartFailed, Err: fmt.Errorf("write file /x: %w", unix.ENOSPC)},
			job.Step{Verdict: job.StartFailed, Message: "write file /x: no space left on device: raise workspaceBytes or workspaceInodes"}},
		{"oom after exit 3", nsjail.Result{Verdict: nsjail.OOMKilled, Exited: true, ExitCode: 3,
			Evidence: []nsjail.Evidence{{Source: "memory.events oom_kill", Value: 1, Limit: 5, Unit: "bytes"}}},
			job.Step{Verdict: job.OOMKilled, ExitCode: &three, Evidence: []job.Evidence{{Source: "memory.events oom_kill", Value: 1, Limit: 5, Unit: "bytes"}}}},
		{"usage and output", nsjail.Result{Verdict: nsjail.WallTime,
			Stdout: nsjail.Output{Data: []byte("ab"), Bytes: 9, Truncated: true},
			Usage:  nsjail.Usage{Wall: 1500 * time.Microsecond, User: time.Second, System: time.Millisecond, MemoryPeak: 7, PidsPeak: 2}},
			job.Step{Verdict: job.WallTime, Stdout: job.Output{Data: []byte("ab"), Bytes: 9, Truncated: true},
				Usage: job.Usage{WallMs: 1.5, CPUUserMs: 1000, CPUSystemMs: 1, MemoryPeakBytes: 7, PidsPeak: 2}}},
		{"zero", nsjail.Result{}, job.Step{Verdict: job.Internal}},
		{"unknown verdict", nsjail.Result{Verdict: 99}, job.Step{Verdict: job.Internal}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Name, tt.want.Limits = "run", job.DefaultRun
			if d := cmp.Diff(tt.want, s.Result(tt.in)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestEveryVerdictHasAWord(t *testing.T) {
	for v := nsjail.Internal; v <= nsjail.Exited; v++ {
		if _, ok := verdicts[v]; !ok {
			t.Errorf("nsjail verdict %d has no word on the wire", v)
		}
	}
}

func TestJobResult(t *testing.T) {
	zero, one := 0, 1
	ok := job.Step{Name: "compile", Verdict: job.Exited, ExitCode: &zero}
	bad := job.Step{Name: "run", Verdict: job.Exited, ExitCode: &one}
	killed := job.Step{Name: "run", Verdict: job.VerdictCancelled, Signal: "SIGKILL"}
	for _, tt := range []struct {
		name      string
		steps     []job.Step
		cancelled bool
		status    job.Status
		verdict   job.Verdict
	}{
		{"all well", []job.Step{ok, ok}, false, job.Succeeded, job.Exited},
		{"run fails", []job.Step{ok, bad}, false, job.Failed, job.Exited},
		{"cancelled in the run", []job.Step{ok, killed}, true, job.StatusCancelled, job.VerdictCancelled},
		{"cancelled between", []job.Step{ok}, true, job.StatusCancelled, job.VerdictCancelled},
	} {
		got := JobResult(tt.steps, "sha256:x", 2*time.Millisecond, tt.cancelled)
		if got.Status != tt.status || got.Verdict != tt.verdict {
			t.Errorf("%s: %s, %s, want %s, %s", tt.name, got.Status, got.Verdict, tt.status, tt.verdict)
		}
		if got.Image != "sha256:x" || got.WallMs != 2 || len(got.Steps) != len(tt.steps) {
			t.Errorf("%s: %+v lacks image, time or steps", tt.name, got)
		}
	}
}
