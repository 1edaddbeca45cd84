// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// Cgroups is the parent cgroup below which each sandbox gets its own.
type Cgroups struct {
	at    hierarchies // of the parent
	disk  []write     // of each sandbox: see LimitDisk
	lock  *os.File    // held: one daemon per name
	seq   atomic.Int64
	dying *dying
}

// OpenCgroups makes (or finds) the parent cgroup of that name in every hierarchy that is needed, enables the controllers,
// and kills and removes all that an earlier daemon left below it. An error names the missing part and how to get it.
func OpenCgroups(name string) (*Cgroups, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("cgroup name %q: must be relative, without .. in it", name)
	}
	h, err := findHierarchies()
	if err != nil {
		return nil, err
	}
	c := &Cgroups{at: h.below(name)}
	c.dying = &dying{at: c.at, most: maxDying}
	for _, dir := range c.at.parents() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make cgroup %s: %w (is this root, and is the cgroup tree writable?)", dir, err)
		}
	}
	if c.lock, err = lockDir(c.at.memory); err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", c.at.memory, err)
	}
	if h.v2() {
		err = enableDownTo(h.unified, name, controllers...)
	} else {
		err = errors.Join(c.limitSockets(), writeFile(c.at.memory, "memory.swappiness", "0")) // which its children have from it
	}
	if err != nil {
		c.lock.Close()
		return nil, err
	}
	if err := c.sweep(); err != nil {
		c.lock.Close()
		return nil, fmt.Errorf("sweep %s: %w", name, err)
	}
	if h.ioV2() && enableDownTo(h.unified, name, "io") != nil {
		c.at.io = "" // LimitDisk says so
	}
	return c, nil
}

// lockDir takes the lock that tells a running daemon from a dead one; the kernel drops it with the process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.New("another daemon is using it: stop that one, or give this one another")
		}
		return nil, err
	}
	return f, nil
}

// sweep kills all processes in child cgroups, and removes those.
func (c *Cgroups) sweep() error {
	names := map[string]bool{}
	for _, dir := range c.at.all() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() {
				names[e.Name()] = true
			}
		}
	}
	var errs []error
	for name := range names {
		cg := &cgroup{at: c.at.below(name), fd: -1, dying: c.dying}
		c.dying.made()
		errs = append(errs, cg.kill(), cg.remove())
	}
	return errors.Join(errs...)
}

// Close removes the parent cgroup.
func (c *Cgroups) Close() error {
	c.dying.drops.Wait()
	var errs []error
	for _, dir := range c.at.parents() {
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(append(errs, c.lock.Close())...)
}

// cgroup is one sandbox's.
type cgroup struct {
	name    string
	at      hierarchies
	disk    []write // limits of the disks, for a cgroup of any name
	fd      int     // of the v2 directory, or -1
	written Resources
	cpu     priority
	peak    *os.File // v2's memory.peak since resetPeak, or nil
	oom     *os.File // v1's eventfd; see oom.go
	dying   *dying   // of its parent
}

// newCgroup makes the v2 cgroup, into which a child can be cloned; finish makes the rest while the child is cloned.
func (c *Cgroups) newCgroup() (*cgroup, error) {
	name := "sb-" + strconv.FormatInt(c.seq.Add(1), 10)
	cg := &cgroup{name: name, at: c.at.below(name), disk: c.disk, fd: -1, dying: c.dying}
	if cg.at.unified != "" {
		if err := os.Mkdir(cg.at.unified, 0o755); err != nil {
			return nil, fmt.Errorf("make cgroup: %w", err)
		}
	}
	c.dying.made() // remove counts it off
	if cg.at.unified == "" {
		return cg, nil
	}
	fd, err := unix.Open(cg.at.unified, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open cgroup: %w", err), cg.remove())
	}
	cg.fd = fd
	return cg, nil
}

// finish makes the v1 cgroups and writes all limits, that of socket buffers if there can be sockets. The child does nothing before its
// first packet.
func (cg *cgroup) finish(r Resources, sockets bool) error {
	if r.MemoryMax <= 0 || r.PidsMax <= 0 || r.CPUMillicores <= 0 {
		return fmt.Errorf("sandbox limits %+v: each must be set", r)
	}
	for _, dir := range cg.at.all() {
		if dir == cg.at.unified {
			continue
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
	}
	if err := cg.announceOOM(); err != nil {
		return err
	}
	if sockets && !cg.at.v2() {
		if err := writeSocketLimit(cg.at.memory, socketMax); err != nil {
			return err
		}
	}
	if err := cg.limitDisk(); err != nil {
		return err
	}
	return cg.set(r)
}

// cloneInto is the descriptor for CLONE_INTO_CGROUP, if there is a v2 tree.
func (cg *cgroup) cloneInto() (int, bool) { return cg.fd, cg.fd >= 0 }

// join moves a process into the v1 cgroups.
func (cg *cgroup) join(pid int) error {
	for _, dir := range cg.at.all() {
		if dir == cg.at.unified {
			continue
		}
		if err := writeFile(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	return nil
}

// kill kills every process in the cgroup.
func (cg *cgroup) kill() error {
	if cg.at.unified != "" {
		err := writeFile(cg.at.unified, "cgroup.kill", "1")
		if err == nil || !errors.Is(err, os.ErrNotExist) { // before Linux 5.14 there is none
			return err
		}
	}
	pids, err := cgroups.GetPids(cg.at.pids)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, pid := range pids {
		killMember(cg.at.pids, pid)
	}
	return nil
}

// threads lists the threads in the cgroup, as far as they can be read: none where it is gone.
func (cg *cgroup) threads() []int {
	file := "/tasks"
	if cg.at.pids == cg.at.unified {
		file = "/cgroup.threads"
	}
	text, _ := os.ReadFile(cg.at.pids + file)
	var list []int
	for word := range strings.FieldsSeq(string(text)) {
		if tid, err := strconv.Atoi(word); err == nil {
			list = append(list, tid)
		}
	}
	return list
}

// killMember kills pid if it still is in dir: with a pidfd that is opened first, the number can't be reused in between.
func killMember(dir string, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	now, err := cgroups.GetPids(dir)
	if err != nil {
		return
	}
	for _, p := range now {
		if p == pid {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
	}
}

// remove deletes the cgroup. Its processes must have been killed: the kernel lets go of it a moment after they are gone.
func (cg *cgroup) remove() error {
	if cg.fd >= 0 {
		unix.Close(cg.fd)
		cg.fd = -1
	}
	for _, f := range []*os.File{cg.peak, cg.oom} {
		if f != nil {
			f.Close()
		}
	}
	var errs []error
	for _, dir := range cg.at.all() {
		errs = append(errs, removeDir(dir))
	}
	cg.dying.removedOne()
	return errors.Join(errs...)
}

func removeDir(dir string) error {
	for wait := time.Millisecond; ; wait *= 2 {
		err := unix.Rmdir(dir)
		switch {
		case err == nil || errors.Is(err, unix.ENOENT):
			return nil
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EBUSY) || wait > time.Second:
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		default:
			time.Sleep(wait) // v1 has no event for this; on v2 it is rare, and nobody waits for a tear-down
		}
	}
}
