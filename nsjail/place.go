// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// place is a directory to which programs in a Task may write. It is the only user of its tmpfs, so what that holds more than at the
// start is the sandbox's: unlinked files that are still open too.
type place struct {
	dir                     string
	startBytes, startInodes int64
	mostBytes, mostInodes   int64 // 0 until begin
}

// newPlace checks a directory.
func newPlace(dir string) (*place, error) {
	st, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("a place for programs to write to: %w", err)
	}
	var on unix.Statfs_t
	if err := unix.Statfs(dir, &on); err != nil {
		return nil, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	switch {
	case !st.IsDir():
		return nil, fmt.Errorf("%s is no directory", dir)
	case st.Mode().Perm()&0o007 != 0o007 || st.Mode()&os.ModeSticky == 0:
		return nil, fmt.Errorf("%s has the mode %v, want 1777: all may write there, and none remove what is others'", dir, st.Mode())
	case on.Type != unix.TMPFS_MAGIC:
		return nil, fmt.Errorf("%s is not on a tmpfs: mount one there (on ECS linuxParameters.tmpfs)", dir)
	}
	return &place{dir: dir}, nil
}

// checkApart refuses places that share a file system: what one holds would count for the other too.
func checkApart(places []*place) error {
	names := map[uint64]string{}
	for _, p := range places {
		var st unix.Stat_t
		if err := unix.Stat(p.dir, &st); err != nil {
			return &fs.PathError{Op: "stat", Path: p.dir, Err: err}
		}
		if other, taken := names[st.Dev]; taken {
			return fmt.Errorf("%s and %s are on one tmpfs: mount one for each", other, p.dir)
		}
		names[st.Dev] = p.dir
	}
	return nil
}

// begin notes what is in use before the sandbox, and the limits: those of the mount with that destination.
func (p *place) begin(mounts []Tmpfs) error {
	p.mostBytes, p.mostInodes = 0, 0
	for _, m := range mounts {
		if filepath.Join("/", m.Destination) == p.dir {
			p.mostBytes, p.mostInodes = m.Size, m.Inodes
		}
	}
	if p.mostBytes <= 0 || p.mostInodes <= 0 {
		return fmt.Errorf("the sandbox has no limits for %s", p.dir)
	}
	var err error
	p.startBytes, p.startInodes, err = usage(p.dir)
	return err
}

// used is how many bytes and inodes came since begin. An error would have come then.
func (p *place) used() (bytes, inodes int64) {
	bytes, inodes, _ = usage(p.dir)
	return max(0, bytes-p.startBytes), max(0, inodes-p.startInodes)
}

// over returns the evidence if the place holds more than it may.
func (p *place) over() (Evidence, bool) {
	bytes, inodes := p.used()
	if bytes > p.mostBytes {
		return Evidence{"statfs " + p.dir, bytes, p.mostBytes, "bytes"}, true
	}
	return Evidence{"statfs " + p.dir, inodes, p.mostInodes, "inodes"}, inodes > p.mostInodes
}

// usage is what the file system of dir holds; see statfs(2).
func usage(dir string) (bytes, inodes int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize, int64(st.Files - st.Ffree), nil
}

// removeFiles removes what uid has made in dir, with its rights. No process of it may be left.
func removeFiles(dir string, uid, gid int) error {
	return asOwner(uid, gid, func() error {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrPermission) {
			return nil // where it can't look it made nothing
		}
		errs := []error{err}
		for _, e := range entries {
			var st unix.Stat_t
			path := filepath.Join(dir, e.Name())
			if unix.Lstat(path, &st) == nil && int(st.Uid) == uid {
				errs = append(errs, removeTree(path))
			}
		}
		return errors.Join(errs...)
	})
}

// removeTree removes what may have directories that their owner can't search.
func removeTree(path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // WalkDir calls this before it reads the directory
		}
		return nil
	})
	return os.RemoveAll(path)
}
