// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ccee-dev/ccee/daemon/outputs"
	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
)

// TierTask is the tier of a daemon in a container that may not make namespaces, such as a task on AWS Fargate. It has to be asked for: no
// daemon that can't make a jail takes it instead. See nsjail.Task for what isolates there.
const TierTask = "task"

// checkTier refuses what a tier can't give, rather than to give less than was asked for.
func (o *Options) checkTier() error {
	switch {
	case o.Tier == "":
		o.Tier = jailTier
	case o.Tier != jailTier && o.Tier != TierTask:
		return fmt.Errorf("there is no tier %q: it is %s or %s", o.Tier, jailTier, TierTask)
	}
	if o.Tier == jailTier {
		return nil
	}
	if o.Slots > 1 || o.Ready > 0 || o.Warm {
		return fmt.Errorf("the tier %s has one job at a time and prewarms nothing: leave slots, ready and warm alone", TierTask)
	}
	o.Slots, o.Network = 1, job.NetworkNone
	return nil
}

// newTask is New for the tier task: the images' trees are in the daemon's own root, and there is no cgroup.
func newTask(o Options, filters filters, socket *socket) (_ *Server, err error) {
	s := newServer(o, 0, socket, func(context.Context) ([]rootfs.Image, error) { return rootfs.ReadStack("/") })
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if _, err := rootfs.ReadStack("/"); err != nil {
		return nil, err
	}
	if err := s.listenRemote(o.Remote); err != nil {
		return nil, err
	}
	line := o.Log.Info()
	for _, c := range nsjail.ProbeTask(nsjail.TaskPlaces) {
		line = line.Str(c.Name, c.Detail)
	}
	line.Msg("tier task: what is there")
	task, err := openTask()
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, task.Close)
	s.sandboxes = func() error {
		select {
		case <-task.Done():
			return nsjail.ErrSpawnerGone
		default:
			return nil
		}
	}
	once := &onceOnly{over: make(chan struct{}), build: newInTask(task)}
	build := once.build
	if o.OneJob {
		build, s.once = once.new, once
	}
	degraded, err := o.isDegraded(selfTest{newSandbox: once.build, root: "/", filters: filters, tier: TierTask})
	if err != nil {
		return nil, err
	}
	runner := &Runner{
		languages: s.languages, unpack: func(context.Context, rootfs.Image) (string, error) { return "/", nil }, newSandbox: build,
		slots: s.slots, filters: filters, network: o.Network, tier: tierName(o.Tier, degraded), metrics: s.metrics, log: o.Log,
		outputs: outputs.NewCollector(), tracer: o.tracer(),
	}
	s.tier, s.run, s.wait = runner.tier, runner.Run, runner.wait
	return s, nil
}

// openTask takes the places of the container, with the ids of the first slot: their lock says that no other daemon has those.
func openTask() (*nsjail.Task, error) {
	task, err := nsjail.OpenTask(nsjail.TaskPlaces, plan.WithIDs(nsjail.Config{}, 0).UIDMappings)
	if err != nil {
		return nil, fmt.Errorf("tier %s: %w", TierTask, err)
	}
	return task, nil
}

func newInTask(task *nsjail.Task) func(context.Context, nsjail.Config) (sandbox, error) {
	return func(ctx context.Context, cfg nsjail.Config) (sandbox, error) {
		sb, err := task.New(ctx, cfg)
		if err != nil {
			return nil, err // not sb: a nil *nsjail.Sandbox in the interface isn't nil
		}
		return sb, nil
	}
}

// onceOnly makes a sandbox for one job.
type onceOnly struct {
	build func(context.Context, nsjail.Config) (sandbox, error)
	used  atomic.Bool
	ended sync.Once
	over  chan struct{} // closed when that job has ended
}

// done is closed when the only job has ended; nil where there is no last one.
func (o *onceOnly) done() <-chan struct{} {
	if o == nil {
		return nil
	}
	return o.over
}

// end is called at the end of each job, also of one that got no sandbox.
func (o *onceOnly) end() {
	if o != nil && o.used.Load() {
		o.ended.Do(func() { close(o.over) })
	}
}

func (o *onceOnly) new(ctx context.Context, cfg nsjail.Config) (sandbox, error) {
	if o.used.Swap(true) {
		return nil, errDraining()
	}
	return o.build(ctx, cfg)
}

// refuse is why a job can't run in the runner's tier.
func (r *Runner) refuse(spec *job.Spec) error {
	switch {
	case r.tier != TierTask && r.tier != tierName(TierTask, true):
		return nil
	case spec.Network == job.NetworkLoopback:
		return job.Invalid("network", "is %s, which takes a network namespace: a daemon of the tier %s has none", spec.Network, r.tier)
	case spec.Tests != nil:
		return job.Invalid("tests", "take a sandbox each, beside that of the built program: a daemon of the tier %s has one", r.tier)
	}
	return nil
}

// tierName is what results say.
func tierName(tier string, degraded bool) string {
	if degraded {
		return tier + "-degraded"
	}
	return tier
}

// asOwner calls do with the rights to files that sb's program has, where the daemon has none itself.
func asOwner(sb sandbox, do func()) error {
	if o, ok := sb.(interface{ AsOwner(func()) error }); ok {
		return o.AsOwner(do)
	}
	do()
	return nil
}
