// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxFile is the largest size of AUTH_FILE, in bytes: some 50,000 keys.
const maxFile = 16 << 20

// reloadEvery is how often AUTH_FILE is checked: a revoked key works for that long.
const reloadEvery = 2 * time.Second

// Live holds the current Directory and replaces it when the file changes.
type Live struct {
	sources Sources
	path    string // "": no file
	dir     atomic.Pointer[Directory]

	mu   sync.Mutex // guards seen
	seen fs.FileInfo
}

// NewLive reads the sources and the file at path, unless that is "".
func NewLive(s Sources, path string) (*Live, error) {
	l := &Live{sources: s, path: path}
	if _, err := l.Reload(); err != nil {
		return nil, err
	}
	return l, nil
}

// Directory returns the current Directory.
func (l *Live) Directory() *Directory { return l.dir.Load() }

// Reload reads the file if it was changed or replaced, and reports whether it did. On an error the Directory stays as it is: a typing
// mistake must not lock everybody out, nor undo a revocation.
func (l *Live) Reload() (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sources := l.sources
	var info fs.FileInfo
	if l.path != "" {
		if info, err = os.Stat(l.path); err != nil {
			return false, fmt.Errorf("AUTH_FILE: %w", err)
		}
		if l.seen != nil && same(l.seen, info) {
			return false, nil
		}
		if sources.File, err = readBounded(l.path); err != nil {
			return false, fmt.Errorf("AUTH_FILE: %w", err)
		}
	} else if l.dir.Load() != nil {
		return false, nil
	}
	d, err := NewDirectory(sources)
	l.seen = info // a bad file is reported once
	if err != nil {
		return false, err
	}
	l.dir.Store(d)
	return true, nil
}

// Watch reloads the file when it changes, until ctx ends, and reports each reload and each new error.
func (l *Live) Watch(ctx context.Context, report func(changed bool, err error)) {
	if l.path == "" {
		return
	}
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	failed := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := l.Reload()
		switch {
		case changed:
			failed = ""
			report(true, nil)
		case err != nil && err.Error() != failed:
			failed = err.Error()
			report(false, err)
		}
	}
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errors.New("is larger than 16 MiB")
	}
	if b == nil {
		b = []byte{}
	}
	return b, err
}
