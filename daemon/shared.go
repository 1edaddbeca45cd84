// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/nsjail/shared"
	"github.com/ccee-dev/ccee/seccomp"
)

// sharedWindow is how long the canary is watched at a time.
const sharedWindow = 100 * time.Millisecond

// SharedTest tries, under policy, whether one job can delay the others through resources that the host has only once, for ccee doctor. It
// tests the disk of dir. The outcome of each abuse is passed to report as soon as it is known. It needs root.
func SharedTest(ctx context.Context, policy *seccomp.Policy, dir string, abuses []shared.Abuse, bounds shared.Bounds, report func(shared.Outcome) error) (err error) {
	if err := checkStatic("/proc/self/exe"); err != nil {
		return err
	}
	root, err := sharedRoot(dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	return withSelfTest(policy, root, func(t selfTest) error {
		h := t.sharedHost("/proc/self/exe")
		h.Bounds = bounds
		for _, a := range abuses {
			o, err := shared.Try(ctx, h, a)
			if err != nil {
				return err
			}
			if err := report(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// sharedRoot makes a root in dir. It has some MiB, so the caller must remove it after use.
func sharedRoot(dir string) (string, error) {
	root, err := os.MkdirTemp(dir, ".doctor-")
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.Chmod(root, 0o755), mountPoints(root), shared.MakeDisk(root)); err != nil {
		os.RemoveAll(root)
		return "", err
	}
	return root, nil
}

// sharedHost runs the program at that path in a sandbox like those of jobs, with the default limits but for a whole core and enough
// time: so its preparations, before the canary is watched, are short.
func (t selfTest) sharedHost(program string) shared.Host {
	limits := job.Limits{WallMs: 60_000, CPUMs: 60_000, CPUMillicores: 1000}.Fill(job.DefaultRun)
	p := plan.NewProgram(nil, limits, true)
	with := func(args []string) nsjail.Process {
		s := p.Steps[0]
		s.Args = args
		return t.filters.of(p).on(s.Process())
	}
	return shared.Host{
		Root: t.root, Program: program, Window: sharedWindow, Bounds: shared.DefaultBounds(),
		Run: func(ctx context.Context, args []string, stdout io.Writer) error {
			proc := with(args)
			proc.OnOutput = func(c nsjail.Chunk, b []byte) {
				if c.Stream == 1 {
					_, _ = stdout.Write(b)
				}
			}
			return t.once(ctx, p.Config(t.root, t.slot), proc)
		},
		Start: func(ctx context.Context) error {
			return t.once(ctx, p.Config(t.root, t.slot+1), with(shared.Nothing(program)))
		},
	}
}

// once runs a program in a fresh sandbox until ctx ends, or until it reaches a limit: for an abuse that is no error.
func (t selfTest) once(ctx context.Context, cfg nsjail.Config, p nsjail.Process) (err error) {
	sb, err := t.newSandbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Close()) }()
	r, err := sb.Run(ctx, p)
	switch {
	case err != nil:
		return err
	case r.Verdict == nsjail.StartFailed || r.Verdict == nsjail.Exited && r.ExitCode != 0:
		return fmt.Errorf("run it in a sandbox: %s, exit code %d, %v: %.300s", plan.Verdict(r.Verdict), r.ExitCode, r.Err, r.Stderr.Data)
	}
	return nil
}
