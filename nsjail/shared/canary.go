// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// canary does the work of a daemon and of Redis, each kind in a goroutine of its own.
type canary struct {
	does []act
	file *os.File // that is written
	disk *os.File // that is read
	at   int64
	tcp  net.Listener
}

type act struct {
	what string
	do   func(context.Context) error
}

const (
	diskFile  = "disk"
	diskBytes = 16 << 20 // of diskFile; the C files have the same number
	block     = 4096
)

// newCanary returns a canary whose files are in dir.
func newCanary(dir string, start func(context.Context) error) (_ *canary, err error) {
	c := &canary{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.file, err = os.OpenFile(filepath.Join(dir, "canary"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if c.disk, err = os.OpenFile(filepath.Join(dir, diskFile), os.O_RDONLY|syscall.O_DIRECT, 0); errors.Is(err, unix.EINVAL) { // a tmpfs, before Linux 6.6
		c.disk, err = os.Open(filepath.Join(dir, diskFile))
	}
	if err != nil {
		return nil, err
	}
	if c.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	c.does = []act{
		{"start a sandbox", start},
		{"wait by epoll", byEpoll},
		{"pass a descriptor", passDescriptor},
		{"flush a small file", c.flush},
		{"read the disk", c.read},
		{"connect to itself", c.connect},
	}
	return c, nil
}

func (c *canary) close() {
	for _, f := range []*os.File{c.file, c.disk} {
		if f != nil {
			f.Close()
		}
	}
	if c.tcp != nil {
		c.tcp.Close()
	}
}

// watch does everything again and again for a while and returns the times of each kind, by name.
func (c *canary) watch(ctx context.Context, d time.Duration) (map[string][]time.Duration, error) {
	const pause = time.Millisecond // between two of a kind: the canary is not an abuse
	end := time.Now().Add(d)
	times, errs := make([][]time.Duration, len(c.does)), make([]error, len(c.does))
	var all sync.WaitGroup
	for i, a := range c.does {
		all.Go(func() {
			for time.Now().Before(end) && errs[i] == nil {
				began := time.Now()
				errs[i] = a.do(ctx)
				times[i] = append(times[i], time.Since(began))
				time.Sleep(pause)
			}
		})
	}
	all.Wait()
	by := map[string][]time.Duration{}
	for i, a := range c.does {
		by[a.what] = times[i]
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", a.what, errs[i])
		}
	}
	return by, errors.Join(errs...)
}

// byEpoll waits for a pipe as a daemon does that starts a program: with an epoll that no other watches.
func byEpoll(context.Context) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(epoll)
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, p[0], &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		return err
	}
	if _, err := unix.Write(p[1], []byte{1}); err != nil {
		return err
	}
	_, err = unix.EpollWait(epoll, make([]unix.EpollEvent, 1), 1000)
	return err
}

func passDescriptor(context.Context) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := unix.Sendmsg(pair[0], []byte{1}, unix.UnixRights(pair[1]), nil, 0); err != nil {
		return err
	}
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[1], b[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%d control messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	for _, fd := range fds {
		unix.Close(fd)
	}
	return err
}

// flush does what Redis does with its append-only file.
func (c *canary) flush(context.Context) error {
	if _, err := c.file.WriteAt(make([]byte, block), 0); err != nil {
		return err
	}
	return unix.Fdatasync(int(c.file.Fd()))
}

func (c *canary) read(context.Context) error {
	const step = 37 * block // no two reads beside each other
	b, err := unix.Mmap(-1, 0, block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(b) }()
	c.at = (c.at + step) % diskBytes
	_, err = c.disk.ReadAt(b, c.at)
	return err
}

func (c *canary) connect(context.Context) error {
	out, err := net.Dial("tcp", c.tcp.Addr().String())
	if err != nil {
		return err
	}
	defer out.Close()
	in, err := c.tcp.Accept()
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := out.Write([]byte{1}); err != nil {
		return err
	}
	_, err = io.ReadFull(in, make([]byte, 1))
	return err
}
