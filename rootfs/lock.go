// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock is a held flock(2).
type lock struct{ f *os.File }

// errLocked means that another process holds the lock.
var errLocked = errors.New("in use by another process")

// flock takes the lock file of that name: how is LOCK_SH or LOCK_EX, with LOCK_NB to get errLocked instead of waiting until
// ctx ends.
func (s *Store) flock(ctx context.Context, name string, how int) (*lock, error) {
	path := filepath.Join(s.dir, "locks", name)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		l := &lock{f}
		if err := l.await(ctx, how); err != nil {
			return nil, err
		}
		// GC unlinks lock files while it holds them: a lock on an unlinked file does not exclude later processes.
		if l.isAt(path) {
			return l, nil
		}
		f.Close()
	}
}

// lockDir takes the exclusive lock of a directory without waiting.
func lockDir(path string) (*lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l := &lock{f}
	if err := l.take(unix.LOCK_EX | unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// await is take, but gives up when ctx ends. It closes the file if it fails.
func (l *lock) await(ctx context.Context, how int) error {
	err := l.take(how | unix.LOCK_NB)
	if err == nil || how&unix.LOCK_NB != 0 || !errors.Is(err, errLocked) {
		if err != nil {
			l.f.Close()
		}
		return err
	}
	// flock(2) can't be interrupted from another goroutine. A call that was given up ends when it gets the lock.
	taken := make(chan error, 1)
	go func() { taken <- l.take(how) }()
	select {
	case err := <-taken:
		if err != nil {
			l.f.Close()
		}
		return err
	case <-ctx.Done():
		go func() {
			<-taken
			l.f.Close()
		}()
		return fmt.Errorf("wait for lock %s: %w", l.f.Name(), ctx.Err())
	}
}

func (l *lock) take(how int) error {
	for {
		err := unix.Flock(int(l.f.Fd()), how)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return fmt.Errorf("lock %s: %w", l.f.Name(), err)
		}
	}
}

func (l *lock) isAt(path string) bool {
	held, err := l.f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(held, now)
}

// unlock releases the lock.
func (l *lock) unlock() { l.f.Close() }

// remove unlinks the lock file and releases the lock, which must be exclusive.
func (l *lock) remove() {
	os.Remove(l.f.Name())
	l.f.Close()
}
