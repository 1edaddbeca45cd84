package daemon

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

const (
	// onePids is what a sandbox that waits for its job may have of processes and threads, the runtime's that was started in it: the JVM has some
	// 30. It is an estimate: nothing of a job runs there yet.
	onePids = 40

	// oneBytes is more than the kernel needs for a sandbox beside what its memory limit counts.
	oneBytes = job.MiB

	// spareShare is the part of the memory for jobs, one in so many, that all sandboxes together may have beyond it: for the runtimes that
	// wait (see warmShare), for those that jobs go on with, and for what the kernel keeps of sandboxes that are gone.
	spareShare = 10

	// A cold start of the JVM reads 100 MiB in 200 reads, and takes no longer for this.
	defaultDiskBytes, defaultDiskOperations = 512 * job.MiB, 2048
)

// readyPids is the part of Pids that no job is promised.
func (o *Options) readyPids() int64 { return min(onePids*int64(o.Ready), o.Pids/2) }

// setCeilings bounds all jobs together, so that what no job's own limit holds costs jobs, and neither the daemon nor Redis. A disk that can't be
// limited is an error if a limit was asked for, else a warning.
func (o *Options) setCeilings(c *nsjail.Cgroups) error {
	err := c.SetCeilings(nsjail.Ceilings{
		MemoryMax: o.MemoryBytes + o.MemoryBytes/spareShare + oneBytes*int64(o.Slots+o.Ready),
		PidsMax:   o.Pids,
		CPUWeight: o.CPUWeight,
	})
	if err != nil {
		return err
	}
	if jobs := (o.Pids - o.readyPids()) / (job.DefaultRun.PidsMax + 1); jobs < int64(o.Slots) {
		o.Log.Warn().Int64("jobs", jobs).Int("slots", o.Slots).Int64("pids", o.Pids).
			Msg("with the default pidsMax fewer jobs run at once than there are slots: raise kernel.pid_max, or pids.max of the container")
	}
	disks, err := c.LimitDisk(o.Store.Dir(), nsjail.DiskRate{
		Bytes:      cmp.Or(o.DiskBytes, defaultDiskBytes),
		Operations: cmp.Or(o.DiskOperations, defaultDiskOperations),
	})
	switch {
	case err != nil && (o.DiskBytes != 0 || o.DiskOperations != 0 || !errors.Is(err, nsjail.ErrNoDiskLimit)):
		return fmt.Errorf("limit what jobs read from disks: %w", err)
	case err != nil:
		o.Log.Warn().Err(err).Msg("a job can keep the disk of the images busy")
	default:
		o.Log.Info().Strs("disks", disks).Msg("what jobs read from disks is limited")
	}
	return nil
}
