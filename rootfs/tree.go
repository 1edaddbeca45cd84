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

// TreeError says that the unpacked tree of an image is not what was unpacked.
type TreeError struct {
	Image   string // its name
	Dir     string // the directory of the tree
	Cause   error  // the first difference
	Removed bool   // nobody used it, so it is gone, and the next Unpack makes it anew
}

func (e *TreeError) Error() string {
	what := fmt.Sprintf("the unpacked image %s was damaged: %v", e.Image, e.Cause)
	if e.Removed {
		return what + ": it is removed and will be unpacked again"
	}
	return fmt.Sprintf("%s: stop what uses it (this daemon too), and it will be unpacked again; or remove %s then", what, e.Dir)
}

func (e *TreeError) Unwrap() error { return e.Cause }

// CheckTree compares the unpacked tree of an image, if there is one, with the list made when it was unpacked: names, kinds, modes and
// sizes. It takes milliseconds, as it reads no content: Verify does. The error for a damaged tree is a *TreeError.
func (s *Store) CheckTree(ctx context.Context, img Image) error {
	dir := s.treeDir(img.Digest)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	l, err := s.flock(ctx, lockOfTree(img), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, errLocked) { // it is being unpacked or removed
		return nil
	}
	if err != nil {
		return err
	}
	fault := compareTree(dir)
	l.unlock()
	if fault == nil {
		return nil
	}
	return s.removeDamaged(ctx, img)
}

func lockOfTree(img Image) string { return "tree-" + treeName(hexOf(img.Digest)) }

// compareTree is CheckTree for a directory whose lock is held. A tree that is not there has no fault.
func compareTree(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return checkSums(filepath.Join(dir, "root"), filepath.Join(dir, "sums"), false)
}

// removeDamaged removes the tree of an image if it is damaged and nobody has its lock. It returns nil when the tree has become good
// meanwhile, else a *TreeError.
func (s *Store) removeDamaged(ctx context.Context, img Image) error {
	dir := s.treeDir(img.Digest)
	l, err := s.flock(ctx, lockOfTree(img), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil && !errors.Is(err, errLocked) {
		return err
	}
	fault := &TreeError{Image: img.Name, Dir: dir, Cause: compareTree(dir)}
	if err == nil {
		defer l.unlock()
	}
	if fault.Cause == nil {
		return nil
	}
	if err != nil { // somebody uses it
		return fault
	}
	w, err := s.newWork()
	if err != nil {
		return errors.Join(fault, err)
	}
	defer w.remove()
	if err := os.Rename(dir, filepath.Join(w.dir, "tree")); err != nil {
		return errors.Join(fault, err)
	}
	fault.Removed = true
	return fault
}
