// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"golang.org/x/sys/unix"
)

// putImage stores an image's blobs, each checked against its digest, and then names it.
func (s *Store) putImage(ctx context.Context, w *work, name string, image v1.Image) error {
	l, err := s.flock(ctx, "store", unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer l.unlock()
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		if err := s.putLayer(w, layer); err != nil {
			return err
		}
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	// Not image.ConfigName: that is the digest of the bytes that were read, damaged or not.
	m, err := image.Manifest()
	if err != nil {
		return err
	}
	if err := s.putBlob(w, m.Config.Digest, bytes.NewReader(config)); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	desc, err := partial.Descriptor(image)
	if err != nil {
		return err
	}
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	if err := s.putBlob(w, desc.Digest, bytes.NewReader(manifest)); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return s.setRef(name, desc)
}

func (s *Store) putLayer(w *work, layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	r, err := layer.Compressed()
	if err != nil {
		return fmt.Errorf("layer %s: %w", digest, err)
	}
	defer r.Close()
	if err := s.putBlob(w, digest, r); err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	return nil
}
