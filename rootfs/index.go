// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation of index.json that holds an image's name; see the OCI image specification, annotations.md.
const refName = "org.opencontainers.image.ref.name"

// indexCache keeps the parsed index.json until the file is replaced.
type indexCache struct {
	info     fs.FileInfo
	manifest *v1.IndexManifest
}

// readIndex returns index.json; the caller must not change it.
func (s *Store) readIndex() (*v1.IndexManifest, error) {
	path := filepath.Join(s.dir, "index.json")
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, nil
	}
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	c := s.index
	s.mu.RUnlock()
	// writeFile always makes a new file, so another inode or time means another index.
	if c.info != nil && os.SameFile(c.info, info) && c.info.ModTime().Equal(info.ModTime()) {
		return c.manifest, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w: restore it, or remove it and build or import the images again", path, err)
	}
	s.mu.Lock()
	s.index = indexCache{info, m}
	s.mu.Unlock()
	return m, nil
}

// setRef names the image of desc, or removes the name if desc is nil. The caller holds the store's lock.
func (s *Store) setRef(name string, desc *v1.Descriptor) error {
	old, err := s.readIndex()
	if err != nil {
		return err
	}
	m := old.DeepCopy()
	m.Manifests = nil
	for _, d := range old.Manifests {
		if d.Annotations[refName] != name {
			m.Manifests = append(m.Manifests, d)
		}
	}
	if desc != nil {
		d := *desc.DeepCopy()
		d.Annotations = map[string]string{refName: name}
		m.Manifests = append(m.Manifests, d)
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return s.writeFile("index.json", data)
}
