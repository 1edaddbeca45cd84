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

// Verify checks all of an image, by name or digest: each blob against its digest, and the tree, if it is unpacked, against
// the list that was made then. The error names every fault; damaged blobs are *DamagedError.
func (s *Store) Verify(ctx context.Context, ref string) error {
	img, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	return errors.Join(s.verifyBlobs(ctx, img), s.verifyTree(ctx, img))
}

// verifyBlobs checks manifest, config and layers against their digests.
func (s *Store) verifyBlobs(ctx context.Context, img Image) error {
	desc, err := img.descriptor()
	if err != nil {
		return err
	}
	m, err := s.manifest(img.Name, desc)
	if err != nil {
		return err
	}
	var faults []error
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if err := s.verifyBlob(ctx, img.Name, d); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (s *Store) verifyBlob(ctx context.Context, name string, d v1.Descriptor) error {
	b, err := s.openBlob(name, d)
	if err != nil {
		return err
	}
	defer b.Close()
	_, err = io.Copy(io.Discard, &ctxReader{ctx, b})
	return err
}

// verifyTree checks the unpacked tree, if there is one, under its shared lock, so that it can't be removed meanwhile.
func (s *Store) verifyTree(ctx context.Context, img Image) error {
	l, err := s.flock(ctx, lockOfTree(img), unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer l.unlock()
	dir := s.treeDir(img.Digest)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := checkSums(filepath.Join(dir, "root"), filepath.Join(dir, "sums"), true); err != nil {
		return fmt.Errorf("unpacked image %s: %w: stop what uses it, remove %s, and it will be unpacked again", img.Name, err, dir)
	}
	return nil
}
