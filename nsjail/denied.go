// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Syscall is a system call that a program made; see struct seccomp_data in seccomp(2).
type Syscall struct {
	Nr   int32
	Arch uint32 // AUDIT_ARCH_*
	Args [6]uint64
}

// Answer is the decision about a system call of which the filter has notified. The zero value is not an answer: the program is killed.
type Answer struct {
	Errno unix.Errno // that the call returns
	Kill  bool       // the sandbox is killed, the verdict is BadSyscall
	// Allow makes the call, only late when there are many. It is for calls that are allowed whatever their arguments, which can change
	// meanwhile.
	Allow bool
	// Unknown says that no kernel has the call: all such calls are counted as one.
	Unknown bool
}

// Denied is a system call that was refused, with the number and the arguments of its first time.
type Denied struct {
	Syscall
	Answer
	Count int64
}

// deniedMax bounds the list of calls. No kernel has so many.
const deniedMax = 512

// The first notifyFree notifications of a program are answered at once, later ones one every notifyPause, whichever of its processes made
// the call: so a flood of them costs the program its time and the daemon next to nothing. All are received and counted when they come,
// before a signal can withdraw one.
const (
	notifyFree  = 200
	notifyPause = 5 * time.Millisecond
	// pendingMax bounds those that wait for their answer. There is one a thread, but before Linux 5.19 signals withdraw calls.
	pendingMax = 8192
)

// denials answers the notifications of a program's filter, and counts the calls that are refused.
type denials struct {
	decide func(Syscall) Answer
	file   *os.File      // the listener
	killed chan struct{} // closed by the first Answer that kills
	stop   chan struct{}
	done   chan struct{} // closed when the goroutine of serve has ended
	once   sync.Once

	received int64
	pending  []notifResponse // to be sent, one every notifyPause
	next     time.Time       // when the first of them may be

	list   []Denied // to be read when done is closed
	missed int64    // calls that found no place in list
}

func newDenials(decide func(Syscall) Answer) *denials {
	return &denials{decide: decide, killed: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
}

// serve answers on the listener fd, which it takes over, until the last process under the filter is gone or end is called.
func (d *denials) serve(fd int) {
	_ = unix.SetNonblock(fd, true) // makes os.File wait by epoll; the ioctls below don't look at it
	d.file = os.NewFile(uintptr(fd), "seccomp listener")
	go func() {
		defer close(d.done)
		defer d.file.Close() // whoever still waits for an answer gets ENOSYS
		raw, err := d.file.SyscallConn()
		for err == nil && d.setDeadline() {
			gone := false
			err = raw.Read(func(fd uintptr) bool {
				ready := false
				ready, gone = d.receiveOne(int(fd))
				return ready
			})
			switch {
			case gone:
				return
			case errors.Is(err, os.ErrDeadlineExceeded):
				err = raw.Control(func(fd uintptr) { d.sendPending(int(fd)) })
			}
		}
	}()
}

// setDeadline sets how long to wait for a notification. It is false after end, which sets its own deadline after closing stop.
func (d *denials) setDeadline() bool {
	var until time.Time // for ever
	if len(d.pending) > 0 {
		until = d.next
	}
	_ = d.file.SetReadDeadline(until)
	select {
	case <-d.stop:
		return false
	default:
		return true
	}
}

// end stops answering and returns when list is complete.
func (d *denials) end() {
	if d.file == nil {
		return
	}
	close(d.stop)
	_ = d.file.SetReadDeadline(time.Unix(1, 0)) // raw.Read fails from now on
	<-d.done
}

// dup returns a descriptor of the listener for whoever answers next, or -1 if there is none. end must follow.
func (d *denials) dup() (fd int, err error) {
	if d.file == nil {
		return -1, nil
	}
	raw, err := d.file.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -1
	failed := raw.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(failed, os.NewSyscallError("fcntl", err))
}

// receiveOne reports ready when a notification was received, or gone when none will ever come.
func (d *denials) receiveOne(fd int) (ready, gone bool) {
	var n notif
	switch err := receiveNotif(fd, &n); {
	case errors.Is(err, unix.EAGAIN):
		return false, false
	case errors.Is(err, io.EOF):
		return true, true
	case err != nil: // its process is gone
		return true, false
	}
	call := Syscall{Nr: n.nr, Arch: n.arch, Args: n.args}
	a := d.decide(call)
	r := notifResponse{id: n.id, err: -int32(a.Errno)}
	if a.Allow {
		r.err, r.flags = 0, unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	} else {
		a.Kill = a.Kill || a.Errno == 0
		d.count(call, a)
	}
	d.received++
	switch {
	case a.Kill: // unanswered: it waits until it is dead
		d.once.Do(func() { close(d.killed) })
	case d.received <= notifyFree:
		send(fd, r)
	default:
		if len(d.pending) == 0 {
			d.next = time.Now().Add(notifyPause)
		}
		if len(d.pending) == pendingMax {
			d.sendPending(fd)
		}
		d.pending = append(d.pending, r)
	}
	return true, false
}

// sendPending sends the first answer whose process is still there.
func (d *denials) sendPending(fd int) {
	for len(d.pending) > 0 {
		r := d.pending[0]
		d.pending = d.pending[1:]
		if send(fd, r) {
			break
		}
	}
	d.next = time.Now().Add(notifyPause)
}

// send answers a call, unless its process is gone or was interrupted.
func send(fd int, r notifResponse) bool {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
	return errno == 0
}

func (d *denials) count(call Syscall, a Answer) {
	for i := range d.list {
		if have := &d.list[i]; have.Answer == a && (have.Nr == call.Nr && have.Arch == call.Arch || a.Unknown) {
			have.Count++
			return
		}
	}
	if len(d.list) == deniedMax {
		d.missed++
		return
	}
	d.list = append(d.list, Denied{call, a, 1})
}

// notif and notifResponse are struct seccomp_notif and seccomp_notif_resp; see seccomp_unotify(2).
type notif struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32 // struct seccomp_data
	arch  uint32
	ip    uint64
	args  [6]uint64
}

type notifResponse struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// receiveNotif receives a notification: EAGAIN if there is none, io.EOF if there will never be one, ENOENT if its process is gone.
func receiveNotif(fd int, n *notif) error {
	// The ioctl would block, whatever the file's flags say.
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(p, 0); err != nil {
		return unix.EAGAIN
	}
	switch events := p[0].Revents; {
	case events&unix.POLLIN != 0:
	case events&(unix.POLLHUP|unix.POLLERR) != 0:
		return io.EOF
	default:
		return unix.EAGAIN
	}
	*n = notif{} // the kernel wants zeros
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(n))); errno != 0 {
		return errno
	}
	return nil
}
