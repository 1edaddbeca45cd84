// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/nsjail/escape"
	"github.com/ccee-dev/ccee/seccomp"
)

// The tiers of results.
const (
	jailTier = "jail"
)

// selfTest tries, in a sandbox like those of jobs, whether the controls hold on this host: another kernel, a sysctl or a policy
// can disable one without any error.
type selfTest struct {
	newSandbox func(context.Context, nsjail.Config) (sandbox, error)
	root       string // from emptyRoot
	slot       int    // which nothing else uses meanwhile
	filters    filters
	tier       string
}

// SelfTest runs the probes of set under policy, for ccee doctor. It needs root.
func SelfTest(ctx context.Context, policy *seccomp.Policy, set escape.Set) (outcomes []escape.Outcome, err error) {
	root, err := emptyRoot(runDir)
	if err != nil {
		return nil, err
	}
	err = withSelfTest(policy, root, func(t selfTest) (err error) {
		outcomes, err = t.run(ctx, set)
		return err
	})
	return outcomes, err
}

// SelfTestTask does the same in the tier task. The container must have nothing else that uses nsjail.TaskPlaces.
func SelfTestTask(ctx context.Context, policy *seccomp.Policy, set escape.Set) (outcomes []escape.Outcome, err error) {
	filters, err := newFilters(policy, TierTask, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	task, err := openTask()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, task.Close()) }()
	return selfTest{newSandbox: newInTask(task), root: "/", filters: filters, tier: TierTask}.run(ctx, set)
}

// withSelfTest calls do with a selfTest whose sandboxes have that root and belong to no daemon.
func withSelfTest(policy *seccomp.Policy, root string, do func(selfTest) error) (err error) {
	filters, err := newFilters(policy, jailTier, zerolog.Nop())
	if err != nil {
		return err
	}
	first, claim, err := slots.ClaimRange(runDir)
	if err != nil {
		return err
	}
	defer claim.Close()
	cgroups, err := nsjail.OpenCgroups(fmt.Sprintf("ccee-selftest-%d", os.Getpid()))
	if err != nil {
		return fmt.Errorf("open the cgroups: %w", err)
	}
	defer func() { err = errors.Join(err, cgroups.Close()) }()
	sandboxes, err := newSpawner(cgroups, root)
	if err != nil {
		return err
	}
	defer sandboxes.close()
	return do(selfTest{sandboxes.new, root, first, filters, jailTier})
}

// isDegraded runs the self-test of a daemon that starts.
func (o Options) isDegraded(t selfTest) (bool, error) {
	if o.SkipSelfTest {
		return false, nil
	}
	began := time.Now()
	tried, err := t.check(context.Background())
	switch {
	case err == nil:
		line := o.Log.Info().Dur("took", time.Since(began)).Int("attempts", len(tried)).Strs("controls", groups(tried))
		if given := escape.Given(tried); given != nil {
			line.Strs("notHeld", given).Str("tier", o.Tier).
				Msg("self-test: all attempts to escape were refused but those that this tier can't; ccee doctor --escape --tier tries more")
		} else {
			line.Msg("self-test: all attempts to escape were refused; ccee doctor --escape tries more")
		}
		return false, nil
	case !o.AllowDegraded:
		return false, err
	}
	o.Log.Warn().Err(err).Str("tier", tierName(o.Tier, true)).Msg("serving although the self-test failed")
	return true, nil
}

// groups lists the controls that were tried, in order.
func groups(outcomes []escape.Outcome) []string {
	var all []string
	for _, o := range outcomes {
		if !slices.Contains(all, o.Group) {
			all = append(all, o.Group)
		}
	}
	return all
}

// check runs the fast probes when a daemon starts. Its error names the controls that did not hold.
func (t selfTest) check(ctx context.Context) ([]escape.Outcome, error) {
	outcomes, err := t.run(ctx, escape.Fast)
	if err != nil {
		return nil, fmt.Errorf("self-test: %w", err)
	}
	if lost := escape.Lost(outcomes); lost != nil {
		return outcomes, fmt.Errorf("self-test: jobs could get through here: %s; run ccee doctor --escape to see what to do", strings.Join(lost, "; "))
	}
	return outcomes, nil
}

// run runs the probes of set in a sandbox as most jobs have it, and then those for a sandbox without network.
func (t selfTest) run(ctx context.Context, set escape.Set) ([]escape.Outcome, error) {
	if err := checkStatic("/proc/self/exe"); err != nil {
		return nil, err
	}
	var all []escape.Outcome
	plans := []plan.Plan{probePlan(set), probePlan(escape.Offline)}
	plans[0].Loopback = t.tier == jailTier
	for _, p := range plans {
		outcomes, err := t.try(ctx, p.Config(t.root, t.slot), t.filters.of(p).lenient().on(p.Steps[0].Process()))
		if err != nil {
			return nil, err
		}
		all = append(all, outcomes...)
	}
	if t.tier == TierTask {
		return escape.Unshared(all), nil
	}
	return all, nil
}

// probePlan plans a job whose program runs the probes of set.
func probePlan(set escape.Set) plan.Plan {
	limits := job.Limits{WallMs: 60_000, CPUMs: 30_000, CPUMillicores: 4000, MemoryBytes: 64 * job.MiB}.Fill(job.DefaultRun)
	return plan.NewProgram(escape.Args(set), limits, set != escape.Offline)
}

// try runs the probes once.
func (t selfTest) try(ctx context.Context, cfg nsjail.Config, p nsjail.Process) (_ []escape.Outcome, err error) {
	sb, err := t.newSandbox(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sb.Close()) }()
	r, err := sb.Run(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case r.Err != nil:
		return nil, fmt.Errorf("run the probes: %w", r.Err)
	case r.Verdict != nsjail.Exited || r.ExitCode != 0:
		return nil, fmt.Errorf("%w: %s, exit code %d, evidence %v: %.300s", ErrProbesDidNotRun, plan.Verdict(r.Verdict), r.ExitCode, r.Evidence, r.Stderr.Data)
	}
	return escape.Parse(string(r.Stdout.Data))
}

// ErrProbesDidNotRun is wrapped by the error for probes that ended before they had tried all.
var ErrProbesDidNotRun = errors.New("run the probes")

// emptyRoot makes, in dir, a directory with nothing but mount points: a root for a program that needs no image. It is not removed: a
// spawner that is started later needs it too, and all daemons of a host share it.
func emptyRoot(dir string) (string, error) {
	root := filepath.Join(dir, "empty")
	return root, mountPoints(root)
}

// mountPoints makes the directories that every root must have.
func mountPoints(root string) error {
	for _, d := range []string{"proc", "dev", "sys", "tmp", plan.WorkDir} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return fmt.Errorf("make an empty root: %w", err)
		}
	}
	return nil
}

// ErrDynamic is why no probe can be run by a binary that needs a dynamic loader.
var ErrDynamic = errors.New("this ccee is linked dynamically, so its probes can't run in an empty jail: build it with make build")

// checkStatic refuses a binary that needs a dynamic loader: the empty root has none.
func checkStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return ErrDynamic
		}
	}
	return nil
}
