// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A lock on a file (fcntl(2), flock(2)) is kernel memory that no cgroup is charged for and nothing bounds: RLIMIT_LOCKS does nothing
// since Linux 2.4. A program takes some 40 MB of it in a second of CPU time. A notification of the filter for each lock would cost an
// honest program ten times what a lock costs, and the daemon as much; reading the kernel's count of the host's locks costs nothing. So the
// sandboxes are searched for locks only when that count grows.
const (
	locksMost   = 4096     // that one sandbox may hold; databases hold a handful for each connection
	locksGrowth = 32_768   // of the host's count, some 6 MB, that starts a search
	descriptors = 4 * 4096 // in one sandbox, that are searched
	lockBytes   = 64 << 10 // of the list of one descriptor, read at once
	lockRest    = 4        // the pause after a search is at least so many times as long as the search: no cgroup is charged for it
	lockObjects = "/sys/kernel/slab/file_lock_cache/total_objects"
	lockPause   = 50 * time.Millisecond // between two readings of the count
)

// lockWatch finds, among the sandboxes of a spawner whose program runs, those that hold too many locks.
type lockWatch struct {
	mu      sync.Mutex
	running map[*Sandbox]chan<- Evidence
	count   *os.File // lockObjects, nil where there is none
	started bool     // run runs
	base    int64    // the host's locks at the last search, or the fewest since
}

// open opens the kernel's count; without it each reading is a search.
func (l *lockWatch) open() { l.count, _ = os.Open(lockObjects) }

// Close must come when nothing is watched any more.
func (l *lockWatch) Close() {
	if l.count != nil {
		l.count.Close()
	}
}

// watchExcess watches for what the kernel charges to nobody until stop is called: locks, and where there is no cgroup all memory.
func (sb *Sandbox) watchExcess() (over <-chan Evidence, stop func()) {
	if sb.user != nil {
		return sb.user.watch()
	}
	return sb.spawner.locks.add(sb)
}

// add watches sb until remove is called. Evidence that it holds too many locks comes on the channel, at most once.
func (l *lockWatch) add(sb *Sandbox) (_ <-chan Evidence, remove func()) {
	over := make(chan Evidence, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.running = map[*Sandbox]chan<- Evidence{}
	}
	l.running[sb] = over
	if !l.started {
		l.started = true
		go l.run()
	}
	return over, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.running, sb)
	}
}

// list is the sandboxes that are watched; when there are none, run must end.
func (l *lockWatch) list() []*Sandbox {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = len(l.running) > 0
	var list []*Sandbox
	for sb := range l.running {
		list = append(list, sb)
	}
	return list
}

// run reads the count for as long as anything is watched.
func (l *lockWatch) run() {
	for pause := lockPause; ; {
		time.Sleep(pause)
		list := l.list()
		if len(list) == 0 {
			return
		}
		pause = lockPause
		if n := firstNumber(l.count); l.grown(n) {
			started := time.Now()
			l.search(list)
			l.base = n
			pause = max(lockPause, lockRest*time.Since(started))
		}
	}
}

// grown reports whether the host has so many more locks that the sandboxes must be searched: always, where the kernel has no count (n is
// -1).
func (l *lockWatch) grown(n int64) bool {
	if n < 0 {
		return true
	}
	l.base = min(l.base, n)
	return n-l.base > locksGrowth
}

// search searches all of list. Too many descriptors count only where no sandbox has too many locks: not all of them were searched.
func (l *lockWatch) search(list []*Sandbox) {
	unseen := map[*Sandbox]Evidence{}
	found := false
	for _, sb := range list {
		h := sb.locksHeld()
		switch {
		case h.locks > locksMost:
			found = true
			l.send(sb, Evidence{"file locks", h.locks, locksMost, "locks"})
		case h.descriptors > descriptors:
			unseen[sb] = Evidence{"open files with locks", h.descriptors, descriptors, "files"}
		}
	}
	for sb, e := range unseen {
		if !found {
			l.send(sb, e)
		}
	}
}

func (l *lockWatch) send(sb *Sandbox, e Evidence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.running[sb] <- e:
	default: // its program has ended, or this is the second time
	}
}

// firstNumber reads the first number in f, from its beginning, or returns -1.
func firstNumber(f *os.File) int64 {
	var b [64]byte
	if f == nil {
		return -1
	}
	n, _ := f.ReadAt(b[:], 0)
	word, _, _ := strings.Cut(string(b[:n]), " ")
	v, err := strconv.ParseInt(strings.TrimSpace(word), 10, 64)
	if err != nil {
		return -1
	}
	return v
}

// held is what a search finds in a sandbox.
type held struct{ locks, descriptors int64 }

// locksHeld counts the locks of all tables of descriptors in the sandbox, until there are too many. A lock belongs to the table in which it
// was taken, whether or not the process that took it still lives; so the pids in /proc/locks are not enough. Any thread can have a table of
// its own.
func (sb *Sandbox) locksHeld() (h held) {
	var tables []int // threads, one for each table, in the order of kcmp(2)
	for _, tid := range sb.cg.threads() {
		at, known := slices.BinarySearchFunc(tables, tid, compareTables)
		if known {
			continue
		}
		tables = slices.Insert(tables, at, tid)
		h.add(filepath.Join("/proc", strconv.Itoa(tid), "fdinfo"))
		if h.locks > locksMost || h.descriptors > descriptors {
			break
		}
	}
	return h
}

// compareTables orders threads by their tables of descriptors. Where the kernel can't, by themselves: a table is then counted for each
// thread.
func compareTables(a, b int) int {
	const kcmpFiles = 2 // enum kcmp_type of linux/kcmp.h
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpFiles, 0, 0, 0)
	switch {
	case errno != 0:
		return a - b
	case order == 1:
		return -1
	case order == 2:
		return 1
	}
	return int(order) // 0: the same
}

// add counts the descriptors and locks in a directory like /proc/TID/fdinfo.
func (h *held) add(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return // it has ended
	}
	defer d.Close()
	names, _ := d.Readdirnames(descriptors + 1)
	h.descriptors += int64(len(names))
	buffer := make([]byte, lockBytes)
	for _, name := range names {
		if h.locks > locksMost {
			return
		}
		h.locks += countLocks(int(d.Fd()), name, buffer)
	}
}

// countLocks counts the lines of a descriptor's list that name a lock; see proc_pid_fdinfo(5).
func countLocks(dir int, name string, buffer []byte) (n int64) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	for n <= locksMost {
		got, err := unix.Read(fd, buffer)
		if err == unix.EINTR {
			continue
		}
		if got <= 0 {
			break
		}
		n += int64(strings.Count(string(buffer[:got]), "lock:"))
	}
	return n
}
