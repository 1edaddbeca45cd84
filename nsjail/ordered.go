// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"os"

	"golang.org/x/sys/unix"
)

// ordered lists which of two pipes was written to first. Pipes don't say so, but epoll does: its list is in the order in which
// they got something to read, and a pipe gets on that list within the write itself.
//
// Its epoll is its own, as an entry of the list must stay there until it is read, and nothing watches it (see poller): a thread waits in
// poll(2) instead, as long as the program runs.
type ordered struct {
	epoll int
	stop  int // an eventfd
}

func newOrdered() (*ordered, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &ordered{epoll, stop}, nil
}

// add lists fd as i.
func (o *ordered) add(fd, i int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(i)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(o.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

// wait returns when something is listed. It is false after end, whatever is listed.
func (o *ordered) wait() bool {
	fds := []unix.PollFd{{Fd: int32(o.epoll), Events: unix.POLLIN}, {Fd: int32(o.stop), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err != unix.EINTR {
			return err == nil && fds[1].Revents == 0
		}
	}
}

// listed returns epoll's list, and empties it.
func (o *ordered) listed() (ready []int) {
	var events [2]unix.EpollEvent
	n, err := unix.EpollWait(o.epoll, events[:], 0)
	if err != nil {
		return nil
	}
	for _, ev := range events[:n] {
		ready = append(ready, int(ev.Fd))
	}
	return ready
}

// end makes wait return.
func (o *ordered) end() { _, _ = unix.Write(o.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (o *ordered) Close() {
	unix.Close(o.epoll)
	unix.Close(o.stop)
}

// nextInOrder returns the outputs that have something to read in the order in which they got it; none after end.
func (c *capture) nextInOrder() (ready []int) {
	for {
		if ready = c.order.listed(); len(ready) == 0 && c.resized() {
			return []int{0, 1}
		}
		if len(ready) > 0 {
			return ready
		}
		if !c.order.wait() {
			return nil
		}
	}
}

// resized reports whether the program changed a pipe's capacity. Then there can be more in it than the one packet that epoll
// listed, and the next entry might never come: the order is given up.
func (c *capture) resized() bool {
	for _, fd := range c.fds {
		if n, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err != nil || n != os.Getpagesize() {
			c.kept.ordered = false
			return true
		}
	}
	return false
}

// stopOrder changes from reading in order to reading in batches.
func (c *capture) stopOrder() {
	c.inOrder = false
	for i, fd := range c.childFDs {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err == nil {
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_DIRECT)
		}
		_, _ = unix.FcntlInt(uintptr(c.fds[i]), unix.F_SETPIPE_SZ, pipeSize)
		unix.Close(fd)
		c.childFDs[i] = -1
	}
}
