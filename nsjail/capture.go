package nsjail

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// capture reads the two outputs of a program, in one of two ways.
//
// The usual one: what is in the pipes is read, then nothing is for a while. The kernel is asked to tell of more (see news) only when
// there was nothing after that while. A program that writes single bytes pays for them itself, and one that writes fast fills
// a large pipe for each of our reads: either costs us a bounded part of one CPU.
//
// The exact one, for Process.Interleave, reads in the order in which was written; see ordered. So that each entry of its list stands
// for one write, the pipes have room for one packet, of up to 4096 bytes (O_DIRECT, see pipe(2)): a second write to the same
// pipe waits until the first was read.
type capture struct {
	kept     *kept
	floodMax int64
	total    atomic.Int64  // bytes of both outputs
	flood    chan struct{} // closed when total passes floodMax

	news  *news
	key   uint64   // of ours
	told  chan int // outputs that have something to read
	order *ordered // in the exact way, else nil
	fds   [2]int   // our ends of the pipes
	gone  [2]bool  // nobody can write to it any more
	size  [2]int   // their capacities
	large int      // the capacity of one that was found more than half full
	exact bool
	ends  [2]int // the program's, in the exact way; else -1
	null  int    // /dev/null, when there is something to drop; else -1
	buf   []byte

	once  sync.Once
	ended chan struct{}
}

// After something was read nothing is for minPause; twice as long each time, up to maxPause, while the pipes are found not
// even half full. It bounds what a flood costs us, what a pipe lets through, and how late news can be.
const (
	minPause = time.Millisecond
	maxPause = 8 * time.Millisecond
)

func newCapture(p Process) (*capture, error) {
	c := &capture{
		kept: newKept(p), floodMax: p.FloodMax, flood: make(chan struct{}), ended: make(chan struct{}), exact: p.Interleave,
		large: largePipe(p.Resources.MemoryMax), size: [2]int{pipeSize, pipeSize},
		fds: [2]int{-1, -1}, ends: [2]int{-1, -1}, null: -1, buf: make([]byte, pipeSize), told: make(chan int, 2),
	}
	var err error
	if c.news, err = theNews(); err != nil {
		return nil, err
	}
	if c.exact {
		if c.order, err = newOrdered(); err != nil {
			return nil, err
		}
	}
	c.key = c.news.subscribe(c.told)
	return c, nil
}

// largePipe is the largest capacity for a program with that much memory, which a pipe's content is charged to.
func largePipe(memory int64) int { return int(max(pipeSize, min(memory/64, 1<<20))) }

// open makes the pipe of output i, 0 or 1, and returns the program's end.
func (c *capture) open(i, uid, gid int) (child int, err error) {
	flags := 0
	if c.exact {
		flags = unix.O_DIRECT
	}
	if c.fds[i], child, err = pipe(0, flags, uid, gid); err != nil {
		return -1, err
	}
	if c.exact {
		_, err = unix.FcntlInt(uintptr(child), unix.F_SETPIPE_SZ, os.Getpagesize())
		if err == nil {
			c.ends[i], err = unix.FcntlInt(uintptr(child), unix.F_DUPFD_CLOEXEC, 0)
		}
		err = os.NewSyscallError("fcntl", err)
	}
	if err == nil {
		err = c.arm(i)
	}
	if err != nil {
		unix.Close(child)
		return -1, err
	}
	return child, nil
}

// arm asks for news of output i: one, or in the exact way all.
func (c *capture) arm(i int) error {
	if c.exact {
		return c.order.add(c.fds[i], i)
	}
	return c.news.arm(c.fds[i], i, c.key)
}

// run reads until end is called.
func (c *capture) run() {
	var ready []int
	for c.exact {
		if ready = c.inOrder(); len(ready) == 0 {
			break
		}
		for _, i := range ready {
			c.take(i)
		}
		if !c.kept.exact() {
			c.relax()
			ready = []int{0, 1}
		}
	}
	if !c.exact {
		c.inPauses(ready)
	}
	c.leftover()
}

// inPauses is the usual way. It begins with a look at the outputs in ready.
func (c *capture) inPauses(ready []int) {
	pause := minPause / 2
	timer := time.NewTimer(maxPause)
	defer timer.Stop()
	for c.hear(&ready) {
		full := false
		ready = slices.DeleteFunc(ready, func(i int) bool {
			got := c.take(i)
			if got > c.size[i]/2 {
				full = true
				c.enlarge(i)
			}
			if got == 0 && !c.gone[i] {
				_ = c.arm(i)
			}
			return got == 0
		})
		if len(ready) == 0 {
			continue
		}
		if pause = min(2*pause, maxPause); full {
			pause = minPause
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-c.ended:
		}
	}
}

// hear adds to ready the outputs of which the kernel tells, and waits for one if there is none. It says false after end.
func (c *capture) hear(ready *[]int) bool {
	for len(*ready) == 0 {
		select {
		case i := <-c.told:
			*ready = append(*ready, i)
		case <-c.ended:
			return false
		}
	}
	select {
	case i := <-c.told:
		*ready = append(*ready, i)
	case <-c.ended:
		return false
	default:
	}
	return true
}

// take reads what is in a pipe, or in the exact way one packet of it. What is written meanwhile has to wait for its turn.
func (c *capture) take(i int) (got int) {
	for got < c.size[i] {
		n := c.read(i)
		if got += n; n < len(c.buf) || c.exact {
			break
		}
	}
	return got
}

// enlarge is for an output that comes fast.
func (c *capture) enlarge(i int) {
	if c.exact || c.size[i] >= c.large {
		return
	}
	if n, err := unix.FcntlInt(uintptr(c.fds[i]), unix.F_SETPIPE_SZ, c.large); err == nil { // without it, it works too
		c.size[i] = n
	}
}

// read reads once, and counts; 0 says that there was nothing.
func (c *capture) read(i int) int {
	n, err := 0, error(nil)
	drop := c.kept.full(i) && c.openNull()
	if drop {
		var moved int64
		moved, err = unix.Splice(c.fds[i], nil, c.null, nil, 1<<20, unix.SPLICE_F_NONBLOCK)
		n = int(moved)
	} else {
		n, err = unix.Read(c.fds[i], c.buf)
	}
	if n <= 0 {
		c.gone[i] = c.gone[i] || err == nil
		return 0
	}
	if drop {
		c.kept.skip(i, int64(n))
	} else {
		c.kept.add(i, c.buf[:n])
	}
	if c.total.Add(int64(n)) > c.floodMax {
		c.once.Do(func() { close(c.flood) })
	}
	return n
}

// openNull opens what bytes are dropped into: a pipe's pages are freed then without being copied first.
func (c *capture) openNull() bool {
	if c.null < 0 {
		c.null, _ = unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	}
	return c.null >= 0
}

// leftover reads what is in the pipes when nobody can write any more.
func (c *capture) leftover() {
	for _, fd := range c.ends {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); c.exact && (err != nil || flags&unix.O_DIRECT == 0) {
			c.kept.ordered = false // the program has taken it away: what was read at once were several writes
		}
	}
	if c.exact {
		for _, i := range c.order.listed() { // the rest of the order
			c.read(i)
		}
	}
	for i := range c.fds {
		for c.read(i) > 0 {
		}
	}
}

// end has run return.
func (c *capture) end() {
	close(c.ended)
	if c.order != nil {
		c.order.end()
	}
}

// Close releases the descriptors.
func (c *capture) Close() {
	c.news.unsubscribe(c.key)
	if c.order != nil {
		c.order.Close()
	}
	for _, fd := range []int{c.fds[0], c.fds[1], c.ends[0], c.ends[1], c.null} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
