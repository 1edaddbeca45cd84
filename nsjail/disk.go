// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Jobs write only to tmpfs, but they read their image from a disk that Redis and all others use too: whenever it is not in the page cache,
// or was evicted because the job's memory limit is smaller than the file that it reads over and over.

// DiskRate bounds reads from each disk, and writes to it.
type DiskRate struct {
	Bytes      int64 // a second
	Operations int64 // a second
}

// diskPart: one sandbox may have one part in so many of the rate for all.
const diskPart = 2

// ErrNoDiskLimit says that the kernel bounds no disk here.
var ErrNoDiskLimit = errors.New("no cgroup controller bounds disks: boot with cgroup v2 and its controller io (CONFIG_BLK_DEV_THROTTLING), " +
	"or mount v1's blkio (see cgroups(7))")

// LimitDisk bounds what sandboxes made from now on read from the disks that the files at path may lie on: a half of rate each and, on
// cgroup v2, rate all together; v1's blkio knows no limit for several cgroups. It returns the disks, "8:0", of which a tmpfs has none.
// The error is ErrNoDiskLimit where the host can't do it.
func (c *Cgroups) LimitDisk(path string, rate DiskRate) ([]string, error) {
	if rate.Bytes < diskPart || rate.Operations < diskPart {
		return nil, fmt.Errorf("limit of disks %+v: both must be set", rate)
	}
	if c.at.io == "" {
		return nil, ErrNoDiskLimit
	}
	disks, err := disksOf(path)
	if err != nil {
		return nil, fmt.Errorf("find the disk of %s: %w", path, err)
	}
	c.disk = nil
	var limited []string
	var errs []error
	for _, disk := range disks {
		writes, err := c.limitOne(disk, rate)
		if err != nil {
			errs = append(errs, fmt.Errorf("limit the disk %s: %w", disk, err))
			continue
		}
		c.disk, limited = append(c.disk, writes...), append(limited, disk)
	}
	if limited == nil { // of several that may be the one, some may be of no use and can't be limited
		return nil, errors.Join(errs...)
	}
	return limited, nil
}

// limitOne bounds a disk for all sandboxes, and returns the writes that bound it for each of them. It tries those first: no job should
// be the first to fail by them.
func (c *Cgroups) limitOne(disk string, rate DiskRate) ([]write, error) {
	one := DiskRate{rate.Bytes / diskPart, rate.Operations / diskPart}
	cg := &cgroup{at: hierarchies{io: c.at.io + "/try-disk"}, disk: one.v1(disk), fd: -1}
	var err error
	if c.at.ioV2() {
		cg.disk = []write{one.v2(disk)}
		err = rate.v2(disk).to(c.at.io)
	}
	if err == nil {
		err = os.Mkdir(cg.at.io, 0o755)
	}
	if err == nil {
		err = errors.Join(cg.limitDisk(), os.Remove(cg.at.io))
	}
	if errors.Is(err, os.ErrNotExist) {
		err = ErrNoDiskLimit
	}
	return cg.disk, err
}

// v2 is the line for io.max.
func (r DiskRate) v2(disk string) write {
	return write{"", "io.max", fmt.Sprintf("%s rbps=%d wbps=%[2]d riops=%[3]d wiops=%[3]d", disk, r.Bytes, r.Operations)}
}

// v1 are the lines for blkio. Reads alone: each line is a file, and there is nothing on a disk that a job could write to.
func (r DiskRate) v1(disk string) []write {
	return []write{
		{"", "blkio.throttle.read_bps_device", fmt.Sprintf("%s %d", disk, r.Bytes)},
		{"", "blkio.throttle.read_iops_device", fmt.Sprintf("%s %d", disk, r.Operations)},
	}
}

// to writes w in dir.
func (w write) to(dir string) error { return writeFile(dir, w.file, fmt.Sprint(w.value)) }

// limitDisk writes the limits of the disks. A disk that is gone can't be read either.
func (cg *cgroup) limitDisk() error {
	for _, w := range cg.disk {
		if err := w.to(cg.at.io); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENXIO) {
			return fmt.Errorf("limit %s to %v: %w", w.file, w.value, err)
		}
	}
	return nil
}

// lowerDiskPriority gives a process and its children the lowest disk priority, with schedulers that have priorities (bfq); see
// ioprio_set(2), which the filter refuses to jobs. No limit relies on it.
func lowerDiskPriority(pid int) {
	const whoProcess, bestEffort, last = 1, 2 << 13, 7
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(pid), bestEffort|last)
}

// disksOf lists the whole disks, by their numbers, that the file system at path may lie on.
func disksOf(path string) ([]string, error) {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Stat(path, &st), unix.Statfs(path, &fs)); err != nil {
		return nil, err
	}
	switch {
	case fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC:
		return nil, nil
	case unix.Major(st.Dev) == 0: // overlayfs, btrfs: the disk of a file is not known
		return allDisks("/sys/block")
	}
	disk, err := wholeDisk("/sys/dev/block", st.Dev)
	return []string{disk}, err
}

// wholeDisk is the number of a partition's disk, since only disks can be limited. For device mapper and RAID it is the device that the
// file system is on: all reads of a job pass through that.
func wholeDisk(numbers string, dev uint64) (string, error) {
	dir, err := filepath.EvalSymlinks(fmt.Sprintf("%s/%d:%d", numbers, unix.Major(dev), unix.Minor(dev)))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir + "/partition"); err == nil {
		dir = filepath.Dir(dir)
	}
	return diskNumber(dir)
}

// allDisks are those that have a size: a loop device without a file has none.
func allDisks(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var disks []string
	for _, e := range entries {
		size, err := os.ReadFile(filepath.Join(dir, e.Name(), "size"))
		if err != nil || strings.TrimSpace(string(size)) == "0" || strings.HasPrefix(e.Name(), "ram") {
			continue
		}
		number, err := diskNumber(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		disks = append(disks, number)
	}
	return disks, nil
}

func diskNumber(dir string) (string, error) {
	b, err := os.ReadFile(dir + "/dev")
	return strings.TrimSpace(string(b)), err
}

// diskCheck is for ccee doctor.
func diskCheck() Check {
	c := Check{Name: "limit of disks", Fix: "a job can keep the disk of the images busy: " + ErrNoDiskLimit.Error()}
	h, err := findHierarchies()
	switch {
	case err != nil:
		c.Detail = "cgroups can't be used"
	case h.ioV2():
		c.OK, c.Detail = true, "io on v2: of one job, and of all together"
	case h.io != "":
		c.OK, c.Detail = true, "blkio on v1: of one job, not of all together"
	default:
		c.Detail = "there is neither io on v2 nor blkio on v1"
	}
	return c
}
