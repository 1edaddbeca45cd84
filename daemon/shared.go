package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/nsjail/shared"
	"github.com/ccee-dev/ccee/seccomp"
)

// sharedWindow is how long the canary is watched at a time.
const sharedWindow = 100 * time.Millisecond

// SharedTest tries, under policy, whether one job can hold up the host by what the host has once, for ccee doctor. The disk that is looked at
// is that of dir. Each of the abuses is handed to told when it was tried, and does harm above the bounds. It needs root.
func SharedTest(ctx context.Context, policy *seccomp.Policy, dir string, abuses []shared.Abuse, bounds shared.Bounds, told func(shared.Outcome) error) (err error) {
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
			if err := told(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// sharedRoot makes, in dir, a root that is removed after use: it holds some MiB.
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

// sharedHost runs the program at that path in a sandbox as jobs have it, with the limits of a job that asks for none but a whole core
// and the time that it takes: so what it does before the canary is watched takes little.
func (t selfTest) sharedHost(program string) shared.Host {
	limits := job.Limits{WallMs: 60_000, CPUMs: 60_000, CPUMillicores: 1000}.Fill(job.DefaultRun)
	p := plan{loopback: true, steps: []step{{name: "run", env: environment(nil, nil, job.Words{}), limits: limits}}}
	f := t.filters.of(p)
	with := func(args []string) nsjail.Process {
		s := p.steps[0]
		s.args = args
		return s.process(f)
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
			return t.once(ctx, p.config(t.root, t.slot), proc)
		},
		Start: func(ctx context.Context) error {
			return t.once(ctx, p.config(t.root, t.slot+1), with(shared.Nothing(program)))
		},
	}
}

// once runs a program in a sandbox of its own until ctx ends. A limit may end it before: that is what limits are for.
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
		return fmt.Errorf("run it in a sandbox: %s, exit code %d, %v: %.300s", verdicts[r.Verdict], r.ExitCode, r.Err, r.Stderr.Data)
	}
	return nil
}
