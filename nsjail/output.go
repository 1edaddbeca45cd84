package nsjail

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pipe makes one of the program's standard streams. The program's end belongs to it, so that it can open /dev/stdin and
// /dev/stdout; ours does not block a thread.
func pipe(ours, flags, uid, gid int) (our, its int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|flags); err != nil {
		return -1, -1, os.NewSyscallError("pipe2", err)
	}
	its = p[1-ours]
	err = os.NewSyscallError("fchown", unix.Fchown(its, uid, gid))
	if err == nil {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(p[ours], true))
	}
	if err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return -1, -1, err
	}
	return p[ours], its, nil
}

// streams are the three pipes of a running program.
type streams struct {
	stdin  *os.File // nil when all of it was written
	rest   []byte   // of the input
	its    []int    // the program's ends, until they are sent
	out    *capture
	copies sync.WaitGroup
}

// pipeSize is a pipe's capacity unless changed; see pipe(7).
const pipeSize = 65536

func newStreams(p Process, uid, gid int) (*streams, error) {
	s := &streams{rest: p.Stdin}
	stdin, its, err := pipe(1, 0, uid, gid)
	if err != nil {
		return nil, err
	}
	s.stdin, s.its = os.NewFile(uintptr(stdin), "pipe"), []int{its}
	if s.out, err = newCapture(p); err != nil {
		s.Close()
		return nil, err
	}
	for i := range s.out.fds {
		its, err := s.out.open(i, uid, gid)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.its = append(s.its, its)
	}
	if len(s.rest) <= pipeSize { // an empty pipe takes it at once
		if _, err := s.stdin.Write(s.rest); err != nil {
			s.Close()
			return nil, err
		}
		s.stdin.Close()
		s.stdin = nil
	}
	return s, nil
}

// closeIts closes our copies of the program's ends.
func (s *streams) closeIts() {
	for _, fd := range s.its {
		unix.Close(fd)
	}
	s.its = nil
}

// copy starts to move bytes.
func (s *streams) copy() {
	if s.stdin != nil {
		s.copies.Go(func() {
			_, _ = s.stdin.Write(s.rest) // ends with EPIPE when nobody reads any more, and when Close comes
			s.stdin.Close()
		})
	}
	s.copies.Go(s.out.run)
}

// end is called when every process that could write is gone. It takes what they left in the pipes and waits for nothing
// else: a program can leave its end of a pipe in flight between two unix sockets, where it stays open until the kernel's
// garbage collector finds it.
func (s *streams) end() {
	if s.stdin != nil {
		s.stdin.Close()
	}
	s.out.end()
	s.copies.Wait()
}

// Close releases what is left.
func (s *streams) Close() {
	s.closeIts()
	if s.stdin != nil {
		s.stdin.Close()
	}
	if s.out != nil {
		s.out.Close()
	}
}
