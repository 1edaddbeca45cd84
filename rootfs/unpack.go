// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// Unpack returns the directory that holds the image's files, unpacking it when it isn't there yet. Callers at the same time,
// in this or other processes, wait for one unpacking; once the path is known here a call costs a map look-up. The
// directory stays until Close, whatever GC is told. A blob that isn't what its digest says gives a *DamagedError,
// and a tree from before that isn't what was unpacked a *TreeError.
//
// A caller whose ctx ends gets its error at once; unpacking continues for the next caller.
func (s *Store) Unpack(ctx context.Context, img Image) (string, error) {
	s.mu.RLock()
	l, ok := s.leases[img.Digest]
	s.mu.RUnlock()
	if ok {
		return l.path, nil
	}
	s.running.Add(1)
	flight := s.flights.DoChan(img.Digest, func() (any, error) { return s.lease(context.WithoutCancel(ctx), img) })
	done := make(chan struct{})
	var path string
	var err error
	go func() {
		defer s.running.Done()
		defer close(done)
		r := <-flight
		path, _ = r.Val.(string)
		err = r.Err
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return "", fmt.Errorf("unpack image %s: %w", img.Name, ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("unpack image %s: %w", img.Name, err)
	}
	return path, nil
}

// lease takes the shared lock of the image's tree, after making the tree if necessary, and keeps it until Close.
func (s *Store) lease(ctx context.Context, img Image) (string, error) {
	s.mu.RLock()
	known, ok := s.leases[img.Digest]
	s.mu.RUnlock()
	if ok { // since the caller looked
		return known.path, nil
	}
	desc, err := img.descriptor()
	if err != nil {
		return "", err
	}
	if _, err := s.load(img.Name, desc); err != nil { // an image listed with Damage ends here
		return "", err
	}
	name, dir := lockOfTree(img), s.treeDir(img.Digest)
	for {
		l, err := s.flock(ctx, name, unix.LOCK_SH)
		if err != nil {
			return "", err
		}
		_, err = os.Stat(dir)
		if err == nil && compareTree(dir) == nil {
			path := filepath.Join(dir, "root")
			s.mu.Lock()
			s.leases[img.Digest] = &leased{path, l}
			s.mu.Unlock()
			return path, nil
		}
		l.unlock()
		switch {
		case err == nil:
			err = s.removeDamaged(ctx, img)
		case errors.Is(err, os.ErrNotExist):
			// Not an upgrade of the shared lock: two that wait for each other's would never end.
			err = s.makeTree(ctx, name, img)
		}
		if err != nil {
			return "", err
		}
	}
}

// makeTree unpacks the image, unless another process did so while this one waited for the lock.
func (s *Store) makeTree(ctx context.Context, lockName string, img Image) error {
	l, err := s.flock(ctx, lockName, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer l.unlock()
	if _, err := os.Stat(s.treeDir(img.Digest)); err == nil {
		return nil
	}
	w, err := s.newWork()
	if err != nil {
		return err
	}
	defer w.remove()
	tree := filepath.Join(w.dir, "tree")
	if err := s.fillTree(ctx, img, tree); err != nil {
		return err
	}
	if err := syncFS(tree); err != nil {
		return err
	}
	if err := os.Rename(tree, s.treeDir(img.Digest)); err != nil {
		return err
	}
	return syncDir(s.Dir())
}

// fillTree makes dir with the image's files in root/ and their list in sums.
func (s *Store) fillTree(ctx context.Context, img Image, dir string) error {
	desc, err := img.descriptor()
	if err != nil {
		return err
	}
	m, err := s.manifest(img.Name, desc)
	if err != nil {
		return err
	}
	rootDir := filepath.Join(dir, "root")
	if err := os.MkdirAll(rootDir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(rootDir)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacker{root: root, left: s.bounds, bounds: s.bounds}
	for _, layer := range m.Layers {
		if err := s.applyLayer(ctx, u, img.Name, layer); err != nil {
			return fmt.Errorf("layer %s: %w", layer.Digest, err)
		}
	}
	if err := furnish(root); err != nil {
		return err
	}
	return writeSums(rootDir, filepath.Join(dir, "sums"))
}

// applyLayer unpacks one layer of the image.
func (s *Store) applyLayer(ctx context.Context, u *unpacker, name string, layer v1.Descriptor) error {
	b, err := s.openBlob(name, layer)
	if err != nil {
		return err
	}
	defer b.Close()
	err = u.layer(ctx, b)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// A damaged blob first fails as nonsense in the middle, but the damage is the error that helps.
	if _, readErr := io.Copy(io.Discard, b); errors.As(readErr, new(*DamagedError)) {
		return readErr
	}
	return err
}

// syncFS writes a whole tree to disk with one call (syncfs(2)), where fsync of each file would take one commit per file.
func syncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("syncfs %s: %w", dir, err)
	}
	return nil
}
