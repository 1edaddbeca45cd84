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

// work is a directory below work/ to write in. Its lock shows sweep that its writer is alive.
type work struct {
	dir  string
	lock *lock
}

// newWork makes a work directory. The caller must remove it.
//
// Between mkdir and flock it looks like that of a dead process, so both happen under a lock that sweep takes too. It is not the
// store's lock, which callers may hold.
func (s *Store) newWork() (*work, error) {
	l, err := s.flock(context.Background(), "work", unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer l.unlock()
	dir, err := os.MkdirTemp(filepath.Join(s.dir, "work"), "")
	if err != nil {
		return nil, err
	}
	held, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &work{dir, held}, nil
}

func (w *work) remove() {
	os.RemoveAll(w.dir)
	w.lock.unlock()
}

// sweep removes the work directories of processes that have ended, and returns how many there were.
func (s *Store) sweep() (int, error) {
	l, err := s.flock(context.Background(), "work", unix.LOCK_EX)
	if err != nil {
		return 0, err
	}
	defer l.unlock()
	dirs, err := os.ReadDir(filepath.Join(s.dir, "work"))
	if err != nil {
		return 0, err
	}
	n := 0
	for _, d := range dirs {
		path := filepath.Join(s.dir, "work", d.Name())
		held, err := lockDir(path)
		if errors.Is(err, errLocked) || errors.Is(err, os.ErrNotExist) {
			continue // alive, or just removed by its owner
		}
		if err != nil {
			return n, err
		}
		err = os.RemoveAll(path)
		held.unlock()
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
