package nsjail

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// news tells the captures of all running programs that there is something to read. It is one epoll, which one thread waits for.
//
// Nothing may watch that epoll, neither Go's poller, which is an epoll too, nor another: whoever adds to an epoll that is watched, or adds an
// epoll, takes a mutex that the host has once (epnested_mutex in fs/eventpoll.c), and a job can hold it for long with a graph of
// epolls of its own. To add to this one takes no lock but its own.
type news struct {
	epoll int

	mu   sync.Mutex
	last uint64                // key that was given out
	to   map[uint64]chan<- int // by key
}

// theNews is that of this process. It lasts as long as the process: there are sandboxes, or will be.
var theNews = sync.OnceValues(newNews)

func newNews() (*news, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	n := &news{epoll: epoll, to: map[uint64]chan<- int{}}
	go n.run()
	return n, nil
}

// subscribe returns a key for who wants to be told on to, which must have room for one number for each pipe that is armed with it.
func (n *news) subscribe(to chan<- int) (key uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last++
	n.to[n.last] = to
	return n.last
}

// unsubscribe: nothing is told any more. The kernel forgets a pipe when it is closed.
func (n *news) unsubscribe(key uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.to, key)
}

// arm has i, 0 or 1, sent to the subscriber when fd has something to read: once.
func (n *news) arm(fd, i int, key uint64) error {
	data := key<<1 | uint64(i)
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(data), Pad: int32(data >> 32)}
	err := unix.EpollCtl(n.epoll, unix.EPOLL_CTL_ADD, fd, &ev)
	if err == unix.EEXIST {
		err = unix.EpollCtl(n.epoll, unix.EPOLL_CTL_MOD, fd, &ev)
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// run hands out what comes.
func (n *news) run() {
	var events [64]unix.EpollEvent
	for {
		count, err := unix.EpollWait(n.epoll, events[:], -1)
		if err != nil && err != unix.EINTR { // the others are about the arguments
			panic(fmt.Sprintf("epoll_wait: %v", err))
		}
		n.mu.Lock()
		for _, ev := range events[:max(count, 0)] {
			data := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
			if to, ok := n.to[data>>1]; ok && ev.Events&unix.EPOLLIN != 0 { // else nobody can write any more
				to <- int(data & 1)
			}
		}
		n.mu.Unlock()
	}
}
