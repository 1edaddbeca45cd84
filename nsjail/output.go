package nsjail

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pipe makes one of the program's standard streams. The program's end belongs to it, so that it can open /dev/stdin and
// /dev/stdout; ours does not block a thread.
func pipe(ours int, uid, gid int) (our *os.File, its int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, os.NewSyscallError("pipe2", err)
	}
	its = p[1-ours]
	err = os.NewSyscallError("fchown", unix.Fchown(its, uid, gid))
	if err == nil {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(p[ours], true))
	}
	if err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return nil, -1, err
	}
	return os.NewFile(uintptr(p[ours]), "pipe"), its, nil
}

// streams are the three pipes of a running program.
type streams struct {
	stdin          *os.File // nil when all of it was written
	rest           []byte   // of the input
	stdout, stderr *os.File
	its            []int // the program's ends, until they are sent

	floodMax int64
	total    atomic.Int64  // bytes of both outputs
	flood    chan struct{} // closed when total passes floodMax
	once     sync.Once
	out      [2]Output
	copies   sync.WaitGroup
}

// pipeSize is a pipe's capacity unless changed; see pipe(7).
const pipeSize = 65536

func newStreams(p Process, uid, gid int) (*streams, error) {
	s := &streams{floodMax: p.FloodMax, flood: make(chan struct{})}
	var files [3]*os.File
	for i := range files {
		ours := 0 // we read the outputs
		if i == 0 {
			ours = 1
		}
		f, its, err := pipe(ours, uid, gid)
		if err != nil {
			s.Close()
			return nil, err
		}
		files[i] = f
		s.its = append(s.its, its)
		s.stdin, s.stdout, s.stderr = files[0], files[1], files[2]
	}
	s.rest = p.Stdin
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
func (s *streams) copy(p Process) {
	if s.stdin != nil {
		s.copies.Go(func() {
			_, _ = s.stdin.Write(s.rest) // ends with EPIPE when nobody reads any more, and when Close comes
			s.stdin.Close()
		})
	}
	for i, f := range []*os.File{s.stdout, s.stderr} {
		s.copies.Go(func() { s.capture(i, f, p) })
	}
}

// capture reads until every holder of the other end is gone, or end says that nobody can write any more. What is over the
// limit is counted and dropped.
func (s *streams) capture(i int, f *os.File, p Process) {
	buf := make([]byte, 32<<10)
	out := &s.out[i]
	read := f.Read
	for {
		n, err := read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			read = leftover(f)
			continue
		}
		if keep := min(int64(n), p.OutputMax-int64(len(out.Data))); keep > 0 {
			out.Data = append(out.Data, buf[:keep]...)
			if p.OnOutput != nil {
				p.OnOutput(i+1, buf[:keep])
			}
		}
		out.Bytes += int64(n)
		if s.total.Add(int64(n)) > s.floodMax {
			s.once.Do(func() { close(s.flood) })
		}
		if err != nil {
			out.Truncated = out.Bytes > int64(len(out.Data))
			return
		}
	}
}

// leftover reads what is in a pipe without waiting for more: io.EOF when it is empty.
func leftover(f *os.File) func([]byte) (int, error) {
	return func(b []byte) (n int, err error) {
		c, err := f.SyscallConn()
		if err != nil {
			return 0, err
		}
		var got error
		if err := c.Control(func(fd uintptr) { n, got = unix.Read(int(fd), b) }); err != nil {
			return 0, err
		}
		if got != nil || n <= 0 { // EAGAIN or the end
			return 0, io.EOF
		}
		return n, nil
	}
}

// end is called when every process that could write is gone. It takes what they left in the pipes and waits for nothing
// else: a program can leave its end of a pipe in flight between two unix sockets, where it stays open until the kernel's
// garbage collector finds it.
func (s *streams) end() {
	if s.stdin != nil {
		s.stdin.Close()
	}
	for _, f := range []*os.File{s.stdout, s.stderr} {
		_ = f.SetReadDeadline(time.Unix(1, 0)) // pipes have deadlines
	}
	s.copies.Wait()
}

// Close releases what is left.
func (s *streams) Close() {
	s.closeIts()
	for _, f := range []*os.File{s.stdin, s.stdout, s.stderr} {
		if f != nil {
			f.Close()
		}
	}
}
