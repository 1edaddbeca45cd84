// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// control is the daemon's end of the socket to a sandbox-init.
type control struct {
	f *os.File
	c syscall.RawConn
}

// newControl returns the daemon's end and the one that sandbox-init gets.
func newControl() (*control, int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("socketpair: %w", err)
	}
	// Only the daemon's end is non-blocking: the flag belongs to the end, not to the pair.
	if err := unix.SetNonblock(pair[0], true); err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return nil, -1, fmt.Errorf("socketpair: %w", err)
	}
	// One packet must fit whatever net.core.wmem_default says; the kernel doubles the value for its own overhead.
	if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 2*packetMax); err != nil {
		_ = unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 2*packetMax)
	}
	f := os.NewFile(uintptr(pair[0]), "sandbox-init")
	c, err := f.SyscallConn()
	if err != nil {
		f.Close()
		unix.Close(pair[1])
		return nil, -1, err
	}
	return &control{f, c}, pair[1], nil
}

// send writes one packet and passes copies of fds along.
func (c *control) send(ops []op, fds ...int) error {
	b, err := encodePacket(ops)
	if err != nil {
		return err
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	var sent error
	if err := c.c.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), b, oob, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN) && !errors.Is(sent, unix.EINTR)
	}); err != nil {
		return err
	}
	return sent
}

// receive reads one reply, and the descriptor that came with it or -1. io.EOF: sandbox-init has ended.
func (c *control) receive() (reply, int, error) {
	var b [replySize + 1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	var n, oobn int
	var got error
	err := c.c.Read(func(fd uintptr) bool {
		n, oobn, _, _, got = unix.Recvmsg(int(fd), b[:], oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(got, unix.ECONNRESET) {
			// It ended with a packet of ours unread. The kernel reports that once, before the replies that it had sent.
			n, oobn, _, _, got = unix.Recvmsg(int(fd), b[:], oob, unix.MSG_CMSG_CLOEXEC)
		}
		return !errors.Is(got, unix.EAGAIN) && !errors.Is(got, unix.EINTR)
	})
	switch {
	case err != nil:
		return reply{}, -1, err
	case errors.Is(got, unix.ECONNRESET) || got == nil && n == 0:
		return reply{}, -1, io.EOF
	case got != nil:
		return reply{}, -1, fmt.Errorf("read from sandbox-init: %w", got)
	}
	fd := -1
	if oobn > 0 {
		if fd, err = oneRight(oob[:oobn]); err != nil {
			return reply{}, -1, err
		}
	}
	r, err := decodeReply(b[:n])
	if err != nil && fd >= 0 {
		unix.Close(fd)
	}
	return r, fd, err
}

func oneRight(oob []byte) (int, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return -1, fmt.Errorf("control message from sandbox-init: %w", err)
	}
	for i := range msgs {
		if fds, err := unix.ParseUnixRights(&msgs[i]); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return -1, errors.New("control message from sandbox-init: want one descriptor")
}

func (c *control) Close() error { return c.f.Close() }

// Stages of starting a program that files of the job can make fail; see OpError.
const (
	StageFiles  = "files" // Process.Files
	StageChdir  = "chdir"
	StageExecve = "execve"
)

// OpError is the failure of an op of sandbox-init: "mount /tmp: no space left on device".
type OpError struct {
	Stage string // one of the above, another part of starting a program, or another op
	What  string // "mount /tmp"
	Err   unix.Errno
}

func (e *OpError) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *OpError) Unwrap() error { return e.Err }

// opError makes the error of a FAILED reply.
func opError(ops []op, r reply) *OpError {
	e := &OpError{What: "sandbox-init", Err: unix.Errno(r.arg[2])}
	if r.arg[0] >= uint64(len(ops)) {
		return e
	}
	o := ops[r.arg[0]]
	if o.code != opExec && o.code != opContinue {
		e.Stage, e.What = opNames[o.code], o.subject()
		switch o.code {
		case opMkdir, opFile, opData, opCopy:
			e.Stage = StageFiles
		}
		return e
	}
	e.Stage = execStages[r.arg[1]]
	e.What = e.Stage
	switch e.Stage {
	case StageChdir:
		e.What += " " + o.strs[0]
	case StageExecve:
		e.What += " " + programName(ops)
	}
	return e
}

func programName(ops []op) string {
	for _, o := range ops {
		if o.code == opArgs && len(o.strs) > 0 {
			return o.strs[0]
		}
	}
	return ""
}
