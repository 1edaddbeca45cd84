// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// poller tells the captures of all running programs which pipes can be read. It is one epoll, which one thread waits for.
//
// Nothing may watch that epoll, neither Go's poller, which is an epoll too, nor another: whoever adds to an epoll that is watched, or adds
// an epoll, takes a mutex that the host has once (epnested_mutex in fs/eventpoll.c), and a job can hold it for long with a graph of epolls
// of its own. Adding to this one takes no lock but its own.
type poller struct {
	epoll int

	mu          sync.Mutex
	last        uint64                // key that was given out
	subscribers map[uint64]chan<- int // by key
}

// sharedPoller is the one of this process, and lasts as long.
var sharedPoller = sync.OnceValues(newPoller)

func newPoller() (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &poller{epoll: epoll, subscribers: map[uint64]chan<- int{}}
	go p.run()
	return p, nil
}

// subscribe returns a key for a subscriber's channel, which must have room for one number for each pipe that is armed with it.
func (p *poller) subscribe(to chan<- int) (key uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	p.subscribers[p.last] = to
	return p.last
}

// unsubscribe ends what subscribe began. The kernel forgets a pipe when it is closed.
func (p *poller) unsubscribe(key uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.subscribers, key)
}

// arm sends i, 0 or 1, to the subscriber when fd has something to read: once.
func (p *poller) arm(fd, i int, key uint64) error {
	data := key<<1 | uint64(i)
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(data), Pad: int32(data >> 32)}
	err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &ev)
	if err == unix.EEXIST {
		err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &ev)
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// run passes on what epoll reports.
func (p *poller) run() {
	var events [64]unix.EpollEvent
	for {
		count, err := unix.EpollWait(p.epoll, events[:], -1)
		if err != nil && err != unix.EINTR { // the others are about the arguments
			panic(fmt.Sprintf("epoll_wait: %v", err))
		}
		p.mu.Lock()
		for _, ev := range events[:max(count, 0)] {
			data := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
			if to, ok := p.subscribers[data>>1]; ok && ev.Events&unix.EPOLLIN != 0 { // else nobody can write any more
				to <- int(data & 1)
			}
		}
		p.mu.Unlock()
	}
}
