// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The kernel keeps a removed memory cgroup, as a dying one, while a page in the page cache is charged to it: pages of the image that its
// job was the first to read. Each takes some kilobytes a CPU, which only memory pressure frees. So from time to time all pages that jobs
// have read are dropped: seldom, because the next jobs read some of them again.
const (
	maxDying   = 256 // dying cgroups
	dyingCheck = 16  // removals between two readings of their number
)

// dying bounds the number of dying cgroups below a parent.
type dying struct {
	at      hierarchies // of the parent
	most    int64
	live    atomic.Int64 // cgroups that were not removed yet
	removed atomic.Int64

	busy  sync.Mutex // held while pages are dropped
	drops sync.WaitGroup
	base  int64 // dying cgroups that remained after the last drop, on v1: also those of others; guarded by busy
}

// made counts a new cgroup.
func (d *dying) made() { d.live.Add(1) }

// removedOne counts a cgroup that was removed, and drops pages in the background if too many are dying.
func (d *dying) removedOne() {
	d.live.Add(-1)
	if d.removed.Add(1)%min(dyingCheck, d.most) != 0 || !d.busy.TryLock() {
		return
	}
	n, err := d.count()
	d.base = min(d.base, n)
	if err != nil || n-d.base <= d.most {
		d.busy.Unlock()
		return
	}
	d.drops.Go(func() {
		defer d.busy.Unlock()
		_ = d.at.dropCache() // the next one tries again
		d.base = 0
		if n, err := d.count(); err == nil && !d.at.v2() {
			d.base = n
		}
	})
}

// count is how many cgroups are dying: on v2 below the parent, on v1 on the host, together with those of others that live.
func (d *dying) count() (int64, error) {
	if d.at.v2() {
		return readValue(d.at.memory, "cgroup.stat", "nr_dying_descendants")
	}
	b, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return 0, err
	}
	n, err := memoryCgroups(string(b))
	return n - d.live.Load(), err
}

// memoryCgroups reads the number of cgroups with the memory controller, of text as in /proc/cgroups; see cgroups(7).
func memoryCgroups(text string) (int64, error) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "memory" {
			return strconv.ParseInt(f[2], 10, 64)
		}
	}
	return 0, fmt.Errorf("no memory controller in %q", text)
}

// dropCache drops the pages of files from the page cache that are charged to a cgroup below the parent. It doesn't swap: jobs have no swap,
// on v1 by swappiness, on v2 by memory.swap.max.
func (h hierarchies) dropCache() error {
	if !h.v2() {
		return writeFile(h.memory, "memory.force_empty", "0")
	}
	var bytes int64
	for _, key := range []string{"active_file", "inactive_file"} {
		n, err := readValue(h.memory, "memory.stat", key)
		if err != nil {
			return err
		}
		bytes += n
	}
	err := writeFile(h.memory, "memory.reclaim", strconv.FormatInt(bytes, 10)) // since Linux 5.19
	if err != nil && !errors.Is(err, unix.EAGAIN) {                            // less could be had
		return err
	}
	return nil
}
