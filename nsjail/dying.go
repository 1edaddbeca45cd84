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

// The kernel keeps a memory cgroup that was removed for as long as a page in the page cache is charged to it: pages of the image that its job was
// the first to read. Each takes some kilobytes a CPU, and nothing gives them back but need of memory. So from time to time what jobs have read
// is dropped, all at once: seldom, because the next jobs read some of it again.
const (
	maxDying   = 256 // removed cgroups that the kernel may keep
	dyingCheck = 16  // it is asked each time that so many more are removed
)

// dying bounds the removed cgroups below a parent that the kernel keeps.
type dying struct {
	at      hierarchies // of the parent
	most    int64
	live    atomic.Int64 // cgroups that there are
	removed atomic.Int64

	busy sync.Mutex // held while what was read is dropped
	over sync.WaitGroup
	base int64 // that were left the last time, on v1: also of others; guarded by busy
}

// begin counts a cgroup that is made.
func (d *dying) begin() { d.live.Add(1) }

// end counts one that is removed, and sees to it that the kernel doesn't keep too many. It doesn't wait for that.
func (d *dying) end() {
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
	d.over.Go(func() {
		defer d.busy.Unlock()
		_ = d.at.dropCache() // the next one tries again
		d.base = 0
		if n, err := d.count(); err == nil && !d.at.v2() {
			d.base = n
		}
	})
}

// count is how many removed cgroups the kernel keeps: on v2 below the parent, on v1 on the host, with others' that live.
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

// dropCache takes what was read out of the page cache, as far as it is charged to a cgroup below the parent. It doesn't swap: v1 has no swap for jobs by
// swappiness, v2 by memory.swap.max.
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
