// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccee-dev/ccee/daemon/ready"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/seccomp"
)

// Options configure a Server. Socket, Store and Policy are required, Store not in the tier task; zero stands for the default of the others.
type Options struct {
	Socket string          // path of the unix socket
	GID    int             // group that may use it, apart from root and the daemon's own user
	Store  *rootfs.Store   // the language images
	Policy *seccomp.Policy // of every sandbox
	Cgroup string          // name of the parent cgroup; "ccee"
	Log    zerolog.Logger
	Trace  trace.TracerProvider // nil: no traces
	Tier   string               // what isolates jobs: "jail", or TierTask
	OneJob bool                 // Serve ends after one job; in the tier task alone

	Slots         int           // jobs at once; 16 per core
	MemoryBytes   int64         // for all jobs together; 80 % of the machine's, or of that of the daemon's cgroup
	CPUMillicores int64         // for all jobs together, as a sum of rates; four times the cores
	Pids          int64         // processes and threads of all jobs together; half of the machine's maximum, or less by the limit of the daemon's cgroup
	TenantShare   int           // percent of each of these, of what the other tenants leave, that one tenant's jobs may reserve; 75
	Queue         int           // jobs that may wait for a slot; 256
	QueueWait     time.Duration // how long each may wait; 10 s
	Drain         time.Duration // how long running jobs may take to finish when the server ends; 30 s
	Network       string        // of jobs that don't ask for one, see job.Spec; job.NetworkLoopback
	Ready         int           // prewarmed sandboxes, for the kinds of jobs of the last minute; none
	Warm          bool          // start the runtime in prewarmed sandboxes, for languages whose runtime can wait for its program

	CPUWeight      int64 // of all jobs together, compared with 100 for any other process or cgroup; 100 a core, up to 1000
	DiskBytes      int64 // that all jobs together may read in a second from the disk of the images, one job half of it; 512 MiB
	DiskOperations int64 // the same for the number of reads; 2048

	// New tries in a sandbox whether the controls hold, and returns an error if one does not. With AllowDegraded the Server
	// serves all the same, and the tier of every result is "jail-degraded".
	AllowDegraded bool
	SkipSelfTest  bool // for tests: their binaries are linked dynamically

	Remote Remote // a listener for callers on other machines; the zero value: none

	Warnings       []string // problems in spite of which it serves, for GET /ready
	PolicyFallback bool     // Policy is not the one that the operator chose, for the metrics
}

// withDefaults fills in the zero fields.
func (o Options) withDefaults() (Options, error) {
	if err := o.checkTier(); err != nil {
		return o, err
	}
	if o.Socket == "" || o.Store == nil && o.Tier == jailTier || o.Policy == nil {
		return o, errors.New("a daemon needs a socket, an image store and a seccomp policy")
	}
	if o.Cgroup == "" {
		o.Cgroup = "ccee"
	}
	if o.MemoryBytes == 0 {
		memory, err := slots.MachineMemory()
		if err != nil {
			return o, fmt.Errorf("find out how much memory the machine has: %w", err)
		}
		o.MemoryBytes = memory / 10 * 8
	}
	if o.Pids == 0 {
		pids, err := slots.MachinePids()
		if err != nil {
			return o, fmt.Errorf("find out how many processes the machine can have: %w", err)
		}
		o.Pids = pids
	}
	or := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	or(&o.Slots, 16*slots.Cores())
	if o.Slots+o.Ready > slots.MaxSlots || o.Ready < 0 {
		return o, fmt.Errorf("%d slots and %d prewarmed sandboxes: a daemon has at most %d together", o.Slots, o.Ready, slots.MaxSlots)
	}
	or(&o.Queue, 256)
	or(&o.TenantShare, 75)
	o.Network = cmp.Or(o.Network, job.NetworkLoopback)
	if o.CPUMillicores == 0 {
		o.CPUMillicores = 4 * 1000 * int64(slots.Cores())
	}
	if o.CPUWeight == 0 {
		o.CPUWeight = min(1000, 100*int64(slots.Cores()))
	}
	if o.QueueWait == 0 {
		o.QueueWait = 10 * time.Second
	}
	if o.Drain == 0 {
		o.Drain = 30 * time.Second
	}
	return o, nil
}

func (o *Options) budget(firstSlot int) slots.Budget {
	return slots.Budget{
		First: firstSlot, Slots: o.Slots, Memory: o.MemoryBytes, Millicores: o.CPUMillicores, Machine: 1000 * int64(slots.Cores()),
		Pids: o.Pids - o.reservedPids(), Share: int64(o.TenantShare), Queue: o.Queue, Wait: o.QueueWait,
	}
}

// readyOptions are those of the pool of prewarmed sandboxes. Its slots come after those of jobs.
func (o *Options) readyOptions(s *slots.Pool, load *slots.Load, build func(context.Context, nsjail.Config) (sandbox, error)) ready.Options {
	r := ready.Options{
		Build: build, Busy: func() bool { return s.Busy() && load.Busy() }, Capacity: o.Ready, Log: o.Log,
		FirstSlot: s.Budget().First + o.Slots, Slots: min(o.Ready+o.Slots, slots.MaxSlots-o.Slots),
	}
	if o.Warm {
		r.WarmBytes = o.MemoryBytes / warmShare
	}
	return r
}
