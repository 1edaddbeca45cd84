// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

const (
	// readyPids is how many processes and threads a prewarmed sandbox may have, with its runtime: the JVM has some 30. It is an estimate,
	// as no job runs there yet.
	readyPids = 40

	// sandboxBytes is more than the kernel needs for a sandbox apart from the memory that its limit counts.
	sandboxBytes = job.MiB

	// warmShare and spareShare are fractions, one in so many, of the memory for jobs: the warm runtimes that wait for a job may take the
	// first beyond it, and all sandboxes together the second. That includes the runtimes that jobs continue with, and what the kernel keeps
	// of sandboxes that are gone.
	warmShare  = 20
	spareShare = 10

	// A cold start of the JVM reads 100 MiB in 200 reads, and takes no longer for this.
	defaultDiskBytes, defaultDiskOperations = 512 * job.MiB, 2048
)

// reservedPids is the part of Pids that is kept for prewarmed sandboxes.
func (o *Options) reservedPids() int64 { return min(readyPids*int64(o.Ready), o.Pids/2) }

// setCeilings bounds all jobs together, so that whatever escapes the limits of single jobs is taken from other jobs and neither from the
// daemon nor from Redis. A disk that can't be limited is an error if a limit was asked for, else a warning.
func (o *Options) setCeilings(c *nsjail.Cgroups) error {
	err := c.SetCeilings(nsjail.Ceilings{
		MemoryMax: o.MemoryBytes + o.MemoryBytes/spareShare + sandboxBytes*int64(o.Slots+o.Ready),
		PidsMax:   o.Pids,
		CPUWeight: o.CPUWeight,
	})
	if err != nil {
		return err
	}
	if jobs := (o.Pids - o.reservedPids()) / (job.DefaultRun.PidsMax + 1); jobs < int64(o.Slots) {
		o.Log.Warn().Int64("jobs", jobs).Int("slots", o.Slots).Int64("pids", o.Pids).
			Msg("with the default pidsMax fewer jobs run at once than there are slots: raise kernel.pid_max, or pids.max of the container")
	}
	disks, err := c.LimitDisk(o.Store.Dir(), nsjail.DiskRate{
		Bytes:      cmp.Or(o.DiskBytes, defaultDiskBytes),
		Operations: cmp.Or(o.DiskOperations, defaultDiskOperations),
	})
	switch {
	case err != nil && (o.DiskBytes != 0 || o.DiskOperations != 0 || !errors.Is(err, nsjail.ErrNoDiskLimit)):
		return fmt.Errorf("limit the disk reads of jobs: %w", err)
	case err != nil:
		o.Log.Warn().Err(err).Msg("a job can keep the disk of the images busy")
	default:
		o.Log.Info().Strs("disks", disks).Msg("the disk reads of jobs are limited")
	}
	return nil
}
