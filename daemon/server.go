// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/ccee-dev/ccee/daemon/outputs"
	"github.com/ccee-dev/ccee/daemon/ready"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
)

// runDir is where the daemons of a host keep shared files: the claims of slot numbers and an empty root.
const runDir = "/run/ccee"

// MachineMemory is how many bytes of memory the daemon and its jobs can have: the machine's, or less where a cgroup above the
// daemon has a limit.
func MachineMemory() (int64, error) { return slots.MachineMemory() }

// Server is the daemon: one unix socket, perhaps a listener for other machines, one parent cgroup, one spawner.
type Server struct {
	gid       int
	drain     time.Duration
	log       zerolog.Logger
	languages *catalogue
	sandboxes func() error // nil when sandboxes can be made
	warnings  []string
	slots     *slots.Pool
	bodies    *semaphore.Weighted // bytes of requests that are being read
	metrics   *metrics
	jobs      *jobs
	socket    *socket
	remote    *remote // nil: there is none
	tier      string
	prewarmed func(root string) (cold, warm int)                                         // sandboxes that wait for jobs of that image
	run       func(context.Context, job.Spec, func(job.Event) error) (job.Result, error) // Runner.Run
	wait      func()                                                                     // for teardowns
	once      *onceOnly                                                                  // of a daemon for one job, else nil
	checkTree func(context.Context, rootfs.Image) error                                  // Store.CheckTree; nil: nothing is checked
	closers   []func() error                                                             // in the order of their making
}

// New takes the socket, removes what an earlier daemon left behind, and prepares everything for Serve. It needs root. Requests
// that arrive before Serve wait in the socket's backlog.
func New(o Options) (_ *Server, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	filters, err := newFilters(o.Policy, o.Tier, o.Log)
	if err != nil {
		return nil, err
	}
	// The socket first: as long as another daemon holds it, the cgroups that are removed next are that daemon's.
	socket, err := listen(o.Socket, o.GID)
	if err != nil {
		return nil, err
	}
	if o.Tier == TierTask {
		return newTask(o, filters, socket)
	}
	first, claim, err := slots.ClaimRange(runDir)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	s := newServer(o, first, socket, o.Store.List)
	s.closers = append(s.closers, claim.Close)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.listenRemote(o.Remote); err != nil {
		return nil, err
	}
	cgroups, err := nsjail.OpenCgroups(o.Cgroup)
	if err != nil {
		return nil, fmt.Errorf("open the cgroups: %w", err)
	}
	s.closers = append(s.closers, cgroups.Close)
	if err := o.setCeilings(cgroups); err != nil {
		return nil, err
	}
	empty, err := emptyRoot(runDir)
	if err != nil {
		return nil, err
	}
	sandboxes, err := newSpawner(cgroups, o.Store.Dir(), empty)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, sandboxes.close)
	s.sandboxes = sandboxes.ready
	degraded, err := o.isDegraded(selfTest{sandboxes.new, empty, first, filters, jailTier})
	if err != nil {
		return nil, err
	}
	runner := &Runner{
		languages: s.languages, unpack: o.Store.Unpack, newSandbox: sandboxes.new,
		slots: s.slots, filters: filters, network: o.Network, tier: tierName(jailTier, degraded), metrics: s.metrics, log: o.Log,
		outputs: outputs.NewCollector(), tracer: o.tracer(),
		ready: ready.New(o.readyOptions(s.slots, slots.NewLoad(slots.Cores(), cgroups.CPUTime), sandboxes.new)),
	}
	s.metrics.watchReady(runner.ready)
	s.prewarmed = runner.ready.CountOf
	s.tier = runner.tier
	s.run, s.wait, s.checkTree = runner.Run, runner.wait, o.Store.CheckTree
	return s, nil
}

// newServer is the part of New that needs no root.
func newServer(o Options, firstSlot int, l *socket, list func(context.Context) ([]rootfs.Image, error)) *Server {
	pool := slots.New(o.budget(firstSlot))
	s := &Server{
		gid:       o.GID,
		drain:     o.Drain,
		log:       o.Log,
		languages: &catalogue{list: list, log: o.Log},
		sandboxes: func() error { return nil },
		warnings:  o.Warnings,
		slots:     pool,
		bodies:    semaphore.NewWeighted(maxBodies),
		metrics:   newMetrics(pool),
		jobs:      newJobs(),
		socket:    l,
		tier:      jailTier,
		prewarmed: func(string) (int, int) { return 0, 0 },
		wait:      func() {},
		closers:   []func() error{l.Close}, // the lock last: then nothing is left that a successor could believe stale
	}
	s.metrics.watchLanguages(s.languages)
	s.metrics.notePolicy(o.PolicyFallback)
	return s
}

// close undoes New, in reverse order.
func (s *Server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}
