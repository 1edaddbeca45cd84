package nsjail

import (
	"os"

	"golang.org/x/sys/unix"
)

// ordered tells which of two pipes was written to first. Two pipes don't, but epoll does: it lists them in the order in which
// they got something to read, and puts them on that list within the write itself.
//
// Its epoll is its own, as what is on the list must stay there until it is read, and nothing watches it (see news): a thread waits in
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

// add has fd listed as i.
func (o *ordered) add(fd, i int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(i)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(o.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

// wait returns when something is listed. It says false after end, whatever is listed.
func (o *ordered) wait() bool {
	fds := []unix.PollFd{{Fd: int32(o.epoll), Events: unix.POLLIN}, {Fd: int32(o.stop), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err != unix.EINTR {
			return err == nil && fds[1].Revents == 0
		}
	}
}

// listed returns what is on epoll's list, and takes it off.
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

// end has wait return.
func (o *ordered) end() { _, _ = unix.Write(o.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (o *ordered) Close() {
	unix.Close(o.epoll)
	unix.Close(o.stop)
}

// inOrder returns the outputs that have something to read in the order in which they got it; none after end.
func (c *capture) inOrder() (ready []int) {
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

// resized says whether the program changed its pipe's capacity. Then there can be more in it than the one packet that epoll
// told of, and to wait for the next news could be for ever: the order is given up.
func (c *capture) resized() bool {
	for _, fd := range c.fds {
		if n, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err != nil || n != os.Getpagesize() {
			c.kept.ordered = false
			return true
		}
	}
	return false
}

// relax goes over from the exact way to the usual one.
func (c *capture) relax() {
	c.exact = false
	for i, fd := range c.ends {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err == nil {
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_DIRECT)
		}
		_, _ = unix.FcntlInt(uintptr(c.fds[i]), unix.F_SETPIPE_SZ, pipeSize)
		unix.Close(fd)
		c.ends[i] = -1
	}
}
