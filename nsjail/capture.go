// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// capture reads the two outputs of a program, in one of two modes.
//
// In batches, usually: it reads all that is in the pipes, then pauses. It asks the poller for the next readiness only when a pipe was empty
// after a pause. A program that writes single bytes pays for them itself, and one that writes fast fills a large pipe for each of our
// reads: either costs the daemon a bounded part of one CPU.
//
// In order, for Process.Interleave: it reads in the order of the writes; see ordered. So that each entry of that list stands
// for one write, the pipes have room for one packet, of up to 4096 bytes (O_DIRECT, see pipe(2)): a second write to the same
// pipe waits until the first was read.
type capture struct {
	kept     *kept
	floodMax int64
	total    atomic.Int64  // bytes of both outputs
	flood    chan struct{} // closed when total passes floodMax

	poller   *poller
	key      uint64   // of this capture at the poller
	readable chan int // outputs that have something to read
	order    *ordered // in order, else nil
	fds      [2]int   // the daemon's ends of the pipes
	gone     [2]bool  // nobody can write to it any more
	size     [2]int   // their capacities
	large    int      // the capacity of one that was found more than half full
	inOrder  bool     // the mode
	childFDs [2]int   // the program's ends, in order; else -1
	null     int      // /dev/null, once there is something to drop; else -1
	buf      []byte

	once  sync.Once
	ended chan struct{}
}

// After each batch there is a pause: minPause first, then twice as long each time, up to maxPause, while the pipes are less than
// half full. It bounds what a flood costs the daemon, what a pipe lets through, and how late output is read.
const (
	minPause = time.Millisecond
	maxPause = 8 * time.Millisecond
)

func newCapture(p Process) (*capture, error) {
	c := &capture{
		kept: newKept(p), floodMax: p.FloodMax, flood: make(chan struct{}), ended: make(chan struct{}), inOrder: p.Interleave,
		large: largePipe(p.Resources.MemoryMax), size: [2]int{pipeSize, pipeSize},
		fds: [2]int{-1, -1}, childFDs: [2]int{-1, -1}, null: -1, buf: make([]byte, pipeSize), readable: make(chan int, 2),
	}
	var err error
	if c.poller, err = sharedPoller(); err != nil {
		return nil, err
	}
	if c.inOrder {
		if c.order, err = newOrdered(); err != nil {
			return nil, err
		}
	}
	c.key = c.poller.subscribe(c.readable)
	return c, nil
}

// largePipe is the largest capacity for a program with that much memory, which a pipe's content is charged to.
func largePipe(memory int64) int { return int(max(pipeSize, min(memory/64, 1<<20))) }

// open makes the pipe of output i, 0 or 1, and returns the program's end.
func (c *capture) open(i, uid, gid int) (child int, err error) {
	flags := 0
	if c.inOrder {
		flags = unix.O_DIRECT
	}
	if c.fds[i], child, err = pipe(0, flags, uid, gid); err != nil {
		return -1, err
	}
	if c.inOrder {
		_, err = unix.FcntlInt(uintptr(child), unix.F_SETPIPE_SZ, os.Getpagesize())
		if err == nil {
			c.childFDs[i], err = unix.FcntlInt(uintptr(child), unix.F_DUPFD_CLOEXEC, 0)
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

// arm asks to be told when output i can be read: once, or in order each time.
func (c *capture) arm(i int) error {
	if c.inOrder {
		return c.order.add(c.fds[i], i)
	}
	return c.poller.arm(c.fds[i], i, c.key)
}

// run reads until end is called.
func (c *capture) run() {
	var ready []int
	for c.inOrder {
		if ready = c.nextInOrder(); len(ready) == 0 {
			break
		}
		for _, i := range ready {
			c.drain(i)
		}
		if !c.kept.orderMatters() {
			c.stopOrder()
			ready = []int{0, 1}
		}
	}
	if !c.inOrder {
		c.inBatches(ready)
	}
	c.drainAll()
}

// inBatches reads until end is called, first the outputs in ready.
func (c *capture) inBatches(ready []int) {
	pause := minPause / 2
	timer := time.NewTimer(maxPause)
	defer timer.Stop()
	for c.awaitReadable(&ready) {
		full := false
		ready = slices.DeleteFunc(ready, func(i int) bool {
			got := c.drain(i)
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

// awaitReadable adds to ready the outputs that can be read, and waits for one if ready is empty. It is false after end.
func (c *capture) awaitReadable(ready *[]int) bool {
	for len(*ready) == 0 {
		select {
		case i := <-c.readable:
			*ready = append(*ready, i)
		case <-c.ended:
			return false
		}
	}
	select {
	case i := <-c.readable:
		*ready = append(*ready, i)
	case <-c.ended:
		return false
	default:
	}
	return true
}

// drain reads what is in a pipe, or in order one packet of it. What is written meanwhile is left for the next turn.
func (c *capture) drain(i int) (got int) {
	for got < c.size[i] {
		n := c.read(i)
		if got += n; n < len(c.buf) || c.inOrder {
			break
		}
	}
	return got
}

// enlarge gives a pipe that fills fast its largest capacity.
func (c *capture) enlarge(i int) {
	if c.inOrder || c.size[i] >= c.large {
		return
	}
	if n, err := unix.FcntlInt(uintptr(c.fds[i]), unix.F_SETPIPE_SZ, c.large); err == nil { // without it, it works too
		c.size[i] = n
	}
}

// read reads once and counts; 0: there was nothing.
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

// openNull opens /dev/null, into which bytes are dropped by splice(2): the pipe's pages are freed without being copied first.
func (c *capture) openNull() bool {
	if c.null < 0 {
		c.null, _ = unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	}
	return c.null >= 0
}

// drainAll reads what is in the pipes when nobody can write any more.
func (c *capture) drainAll() {
	for _, fd := range c.childFDs {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); c.inOrder && (err != nil || flags&unix.O_DIRECT == 0) {
			c.kept.ordered = false // the program has cleared it: what was read at once were several writes
		}
	}
	if c.inOrder {
		for _, i := range c.order.listed() { // the rest of the order
			c.read(i)
		}
	}
	for i := range c.fds {
		for c.read(i) > 0 {
		}
	}
}

// end makes run return.
func (c *capture) end() {
	close(c.ended)
	if c.order != nil {
		c.order.end()
	}
}

// Close closes the descriptors.
func (c *capture) Close() {
	c.poller.unsubscribe(c.key)
	if c.order != nil {
		c.order.Close()
	}
	for _, fd := range []int{c.fds[0], c.fds[1], c.childFDs[0], c.childFDs[1], c.null} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
