package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/version"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/seccomp"
)

// Options are what a Server is made of. Socket, Store and Policy are needed; for the rest zero means the default.
type Options struct {
	Socket string          // path of the unix socket
	GID    int             // group that may use it, beside root and the daemon's own user
	Store  *rootfs.Store   // the language images
	Policy *seccomp.Policy // of every sandbox
	Cgroup string          // name of the parent cgroup; "ccee"
	Log    zerolog.Logger
	Trace  trace.TracerProvider // nil: no traces

	Slots         int           // jobs at once; 16 per core. Slot n owns the host ids 1879048192+2n and +2n+1
	MemoryBytes   int64         // for all jobs together; 80 % of the machine's, or of the cgroup's that the daemon is in
	CPUMillicores int64         // for all jobs together, as a sum of rates; four times the cores
	Pids          int64         // processes and threads of all jobs together; half of what the machine can have, or what the limit of the daemon's cgroup leaves
	Queue         int           // jobs that may wait for a slot; 256
	QueueWait     time.Duration // for how long; 10 s
	Drain         time.Duration // for running jobs to finish when the server ends; 30 s
	Network       string        // of jobs that don't say what they want, see job.Spec; job.NetworkLoopback
	Ready         int           // sandboxes that are made ahead, for the kinds of jobs that there were of late
	Warm          bool          // with the runtime started in them, where the language has one that waits for its program

	CPUWeight      int64 // of all jobs together, where a process or a cgroup beside theirs has 100; 100 a core, up to 1000
	DiskBytes      int64 // that all jobs together read in a second from the disk of the images, and one job half of it; 512 MiB
	DiskOperations int64 // the same of reads, whatever their size; 2048

	// Before it serves, a Server tries in a sandbox whether the controls hold, and New gives an error when one does not.
	// With AllowDegraded it serves then, and every result says so: its tier is "jail-degraded".
	AllowDegraded bool
	SkipSelfTest  bool // for tests: their binaries are linked dynamically

	Warnings []string // what is amiss though it serves: GET /ready tells it
}

// withDefaults fills in the zero fields.
func (o Options) withDefaults() (Options, error) {
	if o.Socket == "" || o.Store == nil || o.Policy == nil {
		return o, errors.New("a daemon needs a socket, an image store and a seccomp policy")
	}
	if o.Cgroup == "" {
		o.Cgroup = "ccee"
	}
	if o.MemoryBytes == 0 {
		memory, err := MachineMemory()
		if err != nil {
			return o, fmt.Errorf("find out how much memory there is: %w", err)
		}
		o.MemoryBytes = memory / 10 * 8
	}
	if o.Pids == 0 {
		pids, err := machinePids()
		if err != nil {
			return o, fmt.Errorf("find out how many processes there can be: %w", err)
		}
		o.Pids = pids
	}
	or := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	or(&o.Slots, 16*cores())
	if o.Slots+o.Ready > rangeSlots || o.Ready < 0 {
		return o, fmt.Errorf("%d slots and %d sandboxes made ahead: a daemon has at most %d together", o.Slots, o.Ready, rangeSlots)
	}
	or(&o.Queue, 256)
	o.Network = cmp.Or(o.Network, job.NetworkLoopback)
	if o.CPUMillicores == 0 {
		o.CPUMillicores = 4 * 1000 * int64(cores())
	}
	if o.CPUWeight == 0 {
		o.CPUWeight = min(1000, 100*int64(cores()))
	}
	if o.QueueWait == 0 {
		o.QueueWait = 10 * time.Second
	}
	if o.Drain == 0 {
		o.Drain = 30 * time.Second
	}
	return o, nil
}

func (o *Options) budget(firstSlot int) budget {
	return budget{
		first: firstSlot, slots: o.Slots, memory: o.MemoryBytes, millicores: o.CPUMillicores, machine: 1000 * int64(cores()),
		pids: o.Pids - o.readyPids(), queue: o.Queue, wait: o.QueueWait,
	}
}

// Server is the daemon: one unix socket, one parent cgroup, one spawner.
type Server struct {
	gid       int
	drain     time.Duration
	log       zerolog.Logger
	languages *catalogue
	sandboxes func() error // nil when sandboxes can be made
	warnings  []string
	slots     *slots
	bodies    *semaphore.Weighted // bytes of requests that are being read
	metrics   *metrics
	jobs      *jobs
	socket    *socket
	run       func(context.Context, job.Spec, func(job.Event) error) (job.Result, error) // Runner.Run
	wait      func()                                                                     // for teardowns
	closers   []func() error                                                             // in the order of their making
}

// New takes the socket, sweeps what an earlier daemon left behind, and gets all ready for Serve. It needs root. Requests that
// arrive before Serve wait in the socket's backlog.
func New(o Options) (_ *Server, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	filters, err := newFilters(o.Policy, o.Log)
	if err != nil {
		return nil, err
	}
	// The socket first: while it is another's, so are the cgroups that would be swept next.
	socket, err := listen(o.Socket, o.GID)
	if err != nil {
		return nil, err
	}
	first, claim, err := claimRange(rangeDir)
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
	cgroups, err := nsjail.OpenCgroups(o.Cgroup)
	if err != nil {
		return nil, fmt.Errorf("open the cgroups: %w", err)
	}
	s.closers = append(s.closers, cgroups.Close)
	if err := o.setCeilings(cgroups); err != nil {
		return nil, err
	}
	empty, err := emptyRoot(rangeDir)
	if err != nil {
		return nil, err
	}
	sandboxes, err := newSpawner(cgroups, o.Store.Dir(), empty)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, sandboxes.close)
	s.sandboxes = sandboxes.ready
	degraded, err := o.isDegraded(selfTest{sandboxes.new, empty, first, filters})
	if err != nil {
		return nil, err
	}
	runner := &Runner{
		languages: s.languages, unpack: o.Store.Unpack, newSandbox: sandboxes.new,
		slots: s.slots, filters: filters, network: o.Network, degraded: degraded, metrics: s.metrics, log: o.Log,
		held: semaphore.NewWeighted(maxHeld), tracer: o.tracer(),
	}
	var warm int64
	if o.Warm {
		warm = o.MemoryBytes / warmShare
	}
	runner.ready = newReady(sandboxes.new, s.slots.busy, first+o.Slots, min(o.Ready+o.Slots, rangeSlots-o.Slots), o.Ready, warm, o.Log)
	s.metrics.watchReady(runner.ready)
	s.run, s.wait = runner.Run, runner.wait
	return s, nil
}

// newServer is the part of New that needs no root.
func newServer(o Options, firstSlot int, l *socket, list func(context.Context) ([]rootfs.Image, error)) *Server {
	slots := newSlots(o.budget(firstSlot))
	return &Server{
		gid:       o.GID,
		drain:     o.Drain,
		log:       o.Log,
		languages: &catalogue{list: list},
		sandboxes: func() error { return nil },
		warnings:  o.Warnings,
		slots:     slots,
		bodies:    semaphore.NewWeighted(maxBodies),
		metrics:   newMetrics(slots),
		jobs:      newJobs(),
		socket:    l,
		wait:      func() {},
		closers:   []func() error{l.Close}, // the lock goes last: then nothing is left that a successor could take for stale
	}
}

// close undoes New, last made first.
func (s *Server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// Serve answers requests until ctx ends, then drains: new jobs and those that wait are refused, running ones may finish
// until Options.Drain is over, and what is left then is killed. It returns nil after an orderly end and may be called once.
func (s *Server) Serve(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s.routes(),
		ConnContext:       withPeer,
		ReadHeaderTimeout: bodyWait,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.socket.listener) }()
	s.log.Info().Str("version", version.Version).Str("socket", s.socket.listener.Addr().String()).Int("slots", s.slots.total.slots).
		Int64("memoryBytes", s.slots.total.memory).Int64("cpuMillicores", s.slots.total.millicores).Msg("serving")

	var err error
	select {
	case err = <-served: // the socket broke
		s.finish(0)
	case <-ctx.Done():
		s.finish(s.drain)
		// Every job is answered, or nearly: the last bytes of an answer may still be on their way.
		last, cancel := context.WithTimeout(context.Background(), writeWait)
		if srv.Shutdown(last) != nil {
			srv.Close()
		}
		cancel()
		<-served
	}
	s.wait()
	return errors.Join(err, s.close())
}

// finish ends the jobs: those that wait at once, those that run when they are done or the time is over.
func (s *Server) finish(within time.Duration) {
	idle := s.jobs.drain()
	s.slots.close()
	running, _, _ := s.slots.inUse()
	s.log.Info().Int("jobs", running).Dur("within", within).Msg("draining")
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		s.log.Warn().Msg("the time for draining is over: killing what still runs")
		s.jobs.shutdown()
		<-idle
	}
}
