// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// withDir is a scripted sandbox with a workspace.
type withDir struct {
	*scripted
	dir *os.File
}

func (s withDir) Dir() int { return int(s.dir.Fd()) }

// Output files are in the daemon's memory until the job's caller has them, and no longer: any number of jobs can have some.
func TestOutputFilesAreReleased(t *testing.T) {
	const jobs = 20 // with 4 MiB each: more than may be held at once
	large := filepath.Join(t.TempDir(), "large")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, job.MaxLimits.OutputFileBytes)); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(filepath.Dir(large))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	r := newRig()
	for range jobs {
		r.sb.steps = append(r.sb.steps, exits(0))
	}
	r.newSandbox = func(context.Context, nsjail.Config) (sandbox, error) { return withDir{r.sb, dir}, nil }
	spec := job.Spec{ID: "1", Language: "python", Source: "x", OutputFiles: []string{"*"},
		Run: job.Limits{OutputFileBytes: job.MaxLimits.OutputFileBytes, OutputFilesBytes: job.MaxLimits.OutputFilesBytes}}
	done := make(chan error, jobs)
	go func() {
		for range jobs {
			res, err := r.Run(t.Context(), spec, func(job.Event) error { return nil })
			if err == nil && (res.OutputFiles == nil || len(res.OutputFiles.Files) != 1) {
				err = fmt.Errorf("%+v, want one file", res.OutputFiles)
			}
			done <- err
		}
	}()
	for n := range jobs {
		if err := patience.Receive(t, done, fmt.Sprintf("job %d has its output file", n)); err != nil {
			t.Fatal(err)
		}
	}
}

// A job with tests reserves what it will need in all, before its compile step runs; and gives it back however it ends.
func TestTestsReserveFirst(t *testing.T) {
	const run = 512 * job.MiB
	spec := job.Spec{ID: "1", Language: "java", Source: "x", Run: job.Limits{MemoryBytes: run}, Tests: &job.Tests{List: make([]job.Test, 1)}}
	gone, cancel := context.WithCancelCause(t.Context())
	broken := ends(nsjail.Result{}, errors.New("socket broke"))
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		after func(context.Context, nsjail.Process) (nsjail.Result, error) // the compile step
		code  job.Code
	}{
		{"succeeds", t.Context(), exits(0), ""},
		{"does not compile", t.Context(), exits(1), ""},
		{"breaks", t.Context(), broken, job.EInternal},
		{"is cut short by a shutdown", gone, func(context.Context, nsjail.Process) (nsjail.Result, error) {
			cancel(errShutdown)
			return nsjail.Result{Verdict: nsjail.Cancelled}, nil
		}, job.EUnavailable},
	} {
		var used slots.Need
		var r *rig
		r = newRig(func(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
			_, _, used = r.slots.InUse()
			return tt.after(ctx, p)
		}, exits(0))
		if _, err := r.Run(tt.ctx, spec, r.emit); job.ErrorCode(err) != tt.code {
			t.Errorf("%s: %v, want code %q", tt.name, err, tt.code)
		}
		if used.Memory < run+64*job.MiB || used.Pids == 0 || used.Millicores == 0 {
			t.Errorf("%s: %+v is reserved in the compile step, want the run step beside what is built", tt.name, used)
		}
		if running, _, left := r.slots.InUse(); running != 0 || left != (slots.Need{}) {
			t.Errorf("%s: %d slots and %+v are in use at the end", tt.name, running, left)
		}
	}
}

// A job with tests gives back what only its compile step needed, before its first test runs.
func TestTestsGiveBackAfterTheBuild(t *testing.T) {
	spec := job.Spec{ID: "1", Language: "java", Source: "x", Compile: job.Limits{MemoryBytes: 1024 * job.MiB, PidsMax: 90}, Run: job.Limits{MemoryBytes: 256 * job.MiB, PidsMax: 30},
		Tests: &job.Tests{List: make([]job.Test, 2)}}
	var r *rig
	var used []slots.Need
	noted := func(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
		_, _, now := r.slots.InUse()
		used = append(used, now)
		return exits(0)(ctx, p)
	}
	r = newRig(noted, noted, noted)
	if _, err := r.Run(t.Context(), spec, r.emit); err != nil || len(used) != 3 {
		t.Fatalf("%d steps, %v, want a compile step and two tests", len(used), err)
	}
	if used[0].Memory < 1024*job.MiB || used[0].Pids != 91 {
		t.Errorf("%+v is reserved in the compile step, want what it may take", used[0])
	}
	for _, test := range used[1:] {
		if test.Memory >= 512*job.MiB || test.Memory < (256+64)*job.MiB || test.Pids != 31 {
			t.Errorf("%+v is reserved in a test, want what the test may take beside the built program", test)
		}
	}
	if running, _, left := r.slots.InUse(); running != 0 || left != (slots.Need{}) {
		t.Errorf("%d slots and %+v are in use at the end", running, left)
	}
}

// A sandbox that can't be made for a test, or a checker that can't be planned, gives the slot back too.
func TestTestsFailEarly(t *testing.T) {
	for _, tt := range []struct {
		name    string
		checker *job.Checker
		field   string
		code    job.Code
	}{
		{"no sandbox", nil, "", job.EInternal},
		{"the checker's language is unknown", &job.Checker{Language: "ruby", Source: "x"}, "checker", job.EInvalid},
	} {
		r := newRig()
		r.newSandbox = func(context.Context, nsjail.Config) (sandbox, error) { return nil, errors.New("clone: EAGAIN") }
		_, err := r.Run(t.Context(), job.Spec{ID: "1", Language: "java", Source: "x", Tests: &job.Tests{List: make([]job.Test, 1), Checker: tt.checker}}, r.emit)
		var e *job.Error
		if job.ErrorCode(err) != tt.code || errors.As(err, &e) && e.Field != tt.field {
			t.Errorf("%s: %v, want code %s for the field %q", tt.name, err, tt.code, tt.field)
		}
		if running, _, used := r.slots.InUse(); running != 0 || used != (slots.Need{}) {
			t.Errorf("%s: %d slots and %+v are in use at the end", tt.name, running, used)
		}
	}
}

// Each step runs under the filter for its network, and the result has the tier of the self-test.
func TestFilterAndTier(t *testing.T) {
	for _, tt := range []struct {
		network, bpf string
		degraded     bool
		tier         string
	}{
		{job.NetworkLoopback, "loopback", false, "jail"}, {job.NetworkNone, "none", true, "jail-degraded"}, {"", "none", false, "jail"},
	} {
		var bpf string
		r := newRig(func(_ context.Context, p nsjail.Process) (nsjail.Result, error) {
			bpf = string(p.Seccomp)
			return nsjail.Result{Verdict: nsjail.Exited, Exited: true}, nil
		})
		r.filters = filters{loopback: filter{bpf: []byte("loopback")}, none: filter{bpf: []byte("none")}}
		r.tier = tierName(jailTier, tt.degraded)
		res, err := r.Run(t.Context(), job.Spec{ID: "1", Language: "python", Source: "x", Network: tt.network}, r.emit)
		if err != nil || bpf != tt.bpf || res.Tier != tt.tier {
			t.Errorf("network %q: the filter %q and the tier %q, %v, want %q and %q", tt.network, bpf, res.Tier, err, tt.bpf, tt.tier)
		}
		r.wait()
	}
}

// TestCausedByJob: whose fault it is that a program does not start.
func TestCausedByJob(t *testing.T) {
	at := func(stage string, err unix.Errno) error { return &nsjail.OpError{Stage: stage, Err: err} }
	inImage, inWorkspace := plan.Step{Args: []string{"/usr/bin/python3"}}, plan.Step{Args: []string{"/workspace/a.out"}}
	after := plan.Step{Args: []string{"/usr/bin/python3"}, After: true}
	for _, tt := range []struct {
		name string
		step plan.Step
		err  error
		want bool
	}{
		{"the image lacks the runtime", inImage, at(nsjail.StageExecve, unix.ENOENT), false},
		{"the arguments are too long", inImage, at(nsjail.StageExecve, unix.E2BIG), true},
		{"the compile step made no program", inWorkspace, at(nsjail.StageExecve, unix.ENOENT), true},
		{"the host has no memory", inWorkspace, at(nsjail.StageExecve, unix.ENOMEM), false},
		{"the workspace is closed", after, at(nsjail.StageChdir, unix.EACCES), true},
		{"the workspace is closed before any step", inImage, at(nsjail.StageChdir, unix.EACCES), false},
		{"the host has no memory for a chdir", after, at(nsjail.StageChdir, unix.ENOMEM), false},
		{"the files don't fit", inImage, at(nsjail.StageFiles, unix.ENOSPC), true},
		{"the files can't be written", inImage, at(nsjail.StageFiles, unix.ENOMEM), false},
		{"another error", inImage, errors.New("socket broke"), false},
	} {
		if got := causedByJob(tt.step, tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A checker has the network of its job.
func TestCheckerHasTheNetwork(t *testing.T) {
	var bpf []string
	step := func(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
		bpf = append(bpf, string(p.Seccomp))
		return nsjail.Result{Verdict: nsjail.Exited, Exited: true}, nil
	}
	r := newRig(step, step)
	r.filters = filters{loopback: filter{bpf: []byte("loopback")}, none: filter{bpf: []byte("none")}}
	_, err := r.Run(t.Context(), job.Spec{ID: "1", Language: "python", Source: "x", Network: job.NetworkLoopback,
		Tests: &job.Tests{List: make([]job.Test, 1), Checker: &job.Checker{Language: "python", Source: "x"}}}, r.emit)
	if err != nil || fmt.Sprint(bpf) != "[loopback loopback]" {
		t.Errorf("the filters %v, %v, want that of the loopback for both", bpf, err)
	}
}
