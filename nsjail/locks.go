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

// A lock on a file (fcntl(2), flock(2)) is kernel memory that no cgroup is charged for, and that nothing bounds: RLIMIT_LOCKS does nothing
// since Linux 2.4. A program takes some 40 MB of it in a second of CPU time. To ask about each lock by the filter would cost an honest program
// ten times what a lock costs, and the daemon as much; the kernel's count of all locks of the host costs nothing. So only where that grows
// is it looked for who has them.
const (
	locksMost   = 4096     // that one sandbox may hold when it is looked; databases hold a handful for each connection
	locksGrowth = 32_768   // of the host's count, some 6 MB, between two times that it is looked
	descriptors = 4 * 4096 // in one sandbox, that are looked through
	lockBytes   = 64 << 10 // of the list of one descriptor, read at once
	lockRest    = 4        // so many times as long as a look took, the next one waits at least: it is on nobody's bill
	lockObjects = "/sys/kernel/slab/file_lock_cache/total_objects"
	lockLook    = 50 * time.Millisecond
)

// lockWatch finds, among the sandboxes of a spawner whose program runs, those that hold too many locks.
type lockWatch struct {
	mu      sync.Mutex
	running map[*Sandbox]chan<- Evidence
	count   *os.File // lockObjects, nil where there is none
	looking bool     // look runs
	seen    int64    // of the host's locks when it was looked last, or what was left of them since
}

// open must come before all else, if the kernel's count is to be known.
func (l *lockWatch) open() { l.count, _ = os.Open(lockObjects) }

// Close is for when nothing is watched any more.
func (l *lockWatch) Close() {
	if l.count != nil {
		l.count.Close()
	}
}

// add has sb watched until the function that it returns is called. What it holds too many of comes on the channel, at most once.
func (l *lockWatch) add(sb *Sandbox) (<-chan Evidence, func()) {
	over := make(chan Evidence, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.running = map[*Sandbox]chan<- Evidence{}
	}
	l.running[sb] = over
	if !l.looking {
		l.looking = true
		go l.look()
	}
	return over, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.running, sb)
	}
}

// list is the sandboxes that are watched; when there are none, look must end.
func (l *lockWatch) list() []*Sandbox {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looking = len(l.running) > 0
	var list []*Sandbox
	for sb := range l.running {
		list = append(list, sb)
	}
	return list
}

// look looks for as long as anything is watched.
func (l *lockWatch) look() {
	for pause := lockLook; ; {
		time.Sleep(pause)
		list := l.list()
		if len(list) == 0 {
			return
		}
		pause = lockLook
		if n := firstNumber(l.count); l.grown(n) {
			started := time.Now()
			l.tell(list)
			l.seen = n
			pause = max(lockLook, lockRest*time.Since(started))
		}
	}
}

// grown reports whether the host has so many locks more that it must be looked who has them: always, where it does not say (n is -1).
func (l *lockWatch) grown(n int64) bool {
	if n < 0 {
		return true
	}
	l.seen = min(l.seen, n)
	return n-l.seen > locksGrowth
}

// tell looks through all of list. Too many descriptors are a reason only where nobody has too many locks: those that were not looked at.
func (l *lockWatch) tell(list []*Sandbox) {
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
	default: // its program has ended, or was told
	}
}

// firstNumber reads it anew, or returns -1.
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

// held is what is found of a sandbox's locks.
type held struct{ locks, descriptors int64 }

// locksHeld counts the locks of all tables of descriptors in the sandbox, until there are too many. A lock belongs to the table it was taken in,
// whoever took it and lives or not; so what /proc/locks says of processes is not enough. Any thread can have a table of its own.
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

// add counts what is in a directory like /proc/TID/fdinfo.
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
