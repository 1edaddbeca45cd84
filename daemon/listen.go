// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is the daemon's listening unix socket, and the lock that makes it ours.
type socket struct {
	listener *net.UnixListener
	lock     *os.File
}

// listen makes the socket at path with mode 0660 and that group. It replaces the socket of a daemon that died; a running one is
// an error. The directory is made if it is missing.
func listen(path string, gid int) (*socket, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the socket: %w", err)
	}
	lock, err := lockSocket(path)
	if err != nil {
		return nil, err
	}
	l, err := bind(path, gid)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &socket{listener: l, lock: lock}, nil
}

// lockSocket takes the lock file next to the socket. It decides between two daemons that start at the same moment, each of which
// would otherwise remove the other's socket as stale. The file is never removed: a lock on a file without a name locks out nobody.
func lockSocket(path string) (*os.File, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the socket: %w", err)
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errRunning(path)
		}
		return nil, fmt.Errorf("lock %s.lock: %w", path, err)
	}
	return lock, nil
}

// errRunning is the error of a second daemon on the same socket.
func errRunning(path string) error {
	return fmt.Errorf("a daemon is running on %s already: stop it, or choose another socket", path)
}

// bind makes the socket itself.
func bind(path string, gid int) (*net.UnixListener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The mode is set before the socket has a name, so that nobody else can connect at any moment.
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); e != nil {
			return e
		}
		return err
	}}
	l, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	err = os.Lchown(path, -1, gid)
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("give the socket to group %d: %w", gid, err)
	}
	return l.(*net.UnixListener), nil
}

// removeStale removes a socket at path on which nobody listens.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for an old socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket: remove it, or choose another path", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return errRunning(path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("connect to the old socket: %w", err)
	}
	return os.Remove(path)
}

// Close closes and removes the socket, unless that was done already, and then unlocks it.
func (s *socket) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.lock.Close())
}
