// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pipe makes one of the program's standard streams. parentEnd says which end the daemon gets, 0 to read or 1 to write; it does not block a
// thread. The program's end belongs to the program, so that it can open /dev/stdin and /dev/stdout.
func pipe(parentEnd, flags, uid, gid int) (parent, child int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|flags); err != nil {
		return -1, -1, os.NewSyscallError("pipe2", err)
	}
	parent, child = p[parentEnd], p[1-parentEnd]
	err = os.NewSyscallError("fchown", unix.Fchown(child, uid, gid))
	if errors.Is(err, unix.EPERM) { // no CAP_CHOWN. A pipe has no name but in /proc/PID/fd, which is closed to other users anyway
		err = os.NewSyscallError("fchmod", unix.Fchmod(child, 0o666))
	}
	if err == nil {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(parent, true))
	}
	if err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return -1, -1, err
	}
	return parent, child, nil
}

// streams are the three pipes of a running program.
type streams struct {
	stdin    *os.File // nil when all of it was written
	rest     []byte   // of the input
	later    bool     // the input comes with a later run
	childFDs []int    // the program's ends, until they are sent
	out      *capture
	copies   sync.WaitGroup
}

// pipeSize is a pipe's capacity unless changed; see pipe(7).
const pipeSize = 65536

func newStreams(p Process, uid, gid int) (*streams, error) {
	s := &streams{}
	stdin, child, err := pipe(1, 0, uid, gid)
	if err != nil {
		return nil, err
	}
	s.stdin, s.childFDs = os.NewFile(uintptr(stdin), "pipe"), []int{child}
	if s.out, err = newCapture(p); err != nil {
		s.Close()
		return nil, err
	}
	for i := range s.out.fds {
		child, err := s.out.open(i, uid, gid)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.childFDs = append(s.childFDs, child)
	}
	if err := s.feed(p); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// feed writes the input if it fits into the empty pipe; else copy does.
func (s *streams) feed(p Process) error {
	s.rest, s.later = p.Stdin, p.MayPause
	if s.later || len(s.rest) > pipeSize {
		return nil
	}
	_, err := s.stdin.Write(s.rest)
	s.stdin.Close()
	s.stdin = nil
	if errors.Is(err, unix.EPIPE) { // the program has closed its end before it paused
		return nil
	}
	return err
}

// reuse prepares the pipes of a program that has paused, to go on as p.
func (s *streams) reuse(p Process) error {
	out, err := newCapture(p)
	if err != nil {
		return err
	}
	out.fds, out.size, s.out.fds = s.out.fds, s.out.size, out.fds
	s.out.Close()
	s.out = out
	for i := range out.fds {
		if err := out.arm(i); err != nil {
			return err
		}
	}
	return s.feed(p)
}

// closeChildEnds closes the daemon's copies of the program's ends.
func (s *streams) closeChildEnds() {
	for _, fd := range s.childFDs {
		unix.Close(fd)
	}
	s.childFDs = nil
}

// copy starts the goroutines that move bytes; end waits for them.
func (s *streams) copy() {
	if s.stdin != nil && !s.later {
		s.copies.Go(func() {
			_, _ = s.stdin.Write(s.rest) // ends with EPIPE when nobody reads any more, and when Close comes
			s.stdin.Close()
		})
	}
	s.copies.Go(s.out.run)
}

// end is called when every process that could write is gone, or stopped. It reads the rest from the pipes and waits for nothing
// else: a program can leave its end of a pipe in flight between two unix sockets, where it stays open until the kernel's
// garbage collector finds it.
func (s *streams) end() {
	if s.stdin != nil && !s.later {
		s.stdin.Close()
	}
	s.out.end()
	s.copies.Wait()
}

// Close closes all ends that are left.
func (s *streams) Close() {
	s.closeChildEnds()
	if s.stdin != nil {
		s.stdin.Close()
	}
	if s.out != nil {
		s.out.Close()
	}
}
