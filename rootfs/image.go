// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrNotFound is wrapped by the errors about an image that the store does not have.
var ErrNotFound = errors.New("no such image")

// Image describes an image of the store.
type Image struct {
	Name     string            `json:"name"`
	Digest   string            `json:"digest"` // of the manifest, "sha256:<hex>": the image's identity
	Size     int64             `json:"size"`   // bytes of the layers as stored
	Created  time.Time         `json:"created"`
	Labels   map[string]string `json:"labels,omitempty"`
	Env      []string          `json:"env,omitempty"`    // NAME=value, from the config
	Unpacked bool              `json:"unpacked"`         // its tree is on disk
	Damage   string            `json:"damage,omitempty"` // why it can't be used, from its manifest and config alone; see Verify
}

// validName matches the names that Import and Build accept for an image.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._:/-]{0,126}$`)

// List returns the images, ordered by name. One whose manifest or config is damaged is listed with Damage set, so that it
// doesn't hide the others.
func (s *Store) List(ctx context.Context) ([]Image, error) {
	index, err := s.readIndex()
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var list []Image
	for _, d := range index.Manifests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if name := d.Annotations[refName]; name != "" {
			list = append(list, s.describe(name, d))
		}
	}
	slices.SortFunc(list, func(a, b Image) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// Get returns the image of that name or manifest digest. Its error wraps ErrNotFound, or is about the index.
func (s *Store) Get(ctx context.Context, ref string) (Image, error) {
	index, err := s.readIndex()
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", ref, err)
	}
	for _, d := range index.Manifests {
		if name := d.Annotations[refName]; name != "" && (name == ref || d.Digest.String() == ref) {
			return s.describe(name, d), nil
		}
	}
	return Image{}, fmt.Errorf("image %q in %s: %w: make it with \"ccee image build\" or \"ccee image import\"", ref, s.dir, ErrNotFound)
}

// describe reads manifest and config, once for each digest.
func (s *Store) describe(name string, desc v1.Descriptor) Image {
	digest := desc.Digest.String()
	s.mu.RLock()
	img, known := s.images[digest]
	s.mu.RUnlock()
	if !known {
		var err error
		if img, err = s.load(name, desc); err != nil {
			return Image{Name: name, Digest: digest, Damage: err.Error()}
		}
		s.mu.Lock()
		s.images[digest] = img
		s.mu.Unlock()
	}
	img.Name = name
	_, err := os.Stat(s.treeDir(digest))
	img.Unpacked = err == nil
	return img
}

func (s *Store) load(name string, desc v1.Descriptor) (Image, error) {
	m, err := s.manifest(name, desc)
	if err != nil {
		return Image{}, err
	}
	data, err := s.readBlob(name, m.Config)
	if err != nil {
		return Image{}, err
	}
	c, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return Image{}, fmt.Errorf("parse config of image %s: %w", name, err)
	}
	if c.Architecture != "" && c.Architecture != runtime.GOARCH {
		return Image{}, fmt.Errorf("image %s is for %s, this machine is %s", name, c.Architecture, runtime.GOARCH)
	}
	img := Image{Name: name, Digest: desc.Digest.String(), Created: c.Created.Time, Labels: c.Config.Labels, Env: c.Config.Env}
	for _, l := range m.Layers {
		img.Size += l.Size
	}
	return img, nil
}

// manifest reads the manifest of an image.
func (s *Store) manifest(name string, desc v1.Descriptor) (*v1.Manifest, error) {
	data, err := s.readBlob(name, desc)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("parse manifest of image %s: %w", name, err)
	}
	return m, nil
}

// descriptor returns the descriptor of an image's manifest, for openBlob.
func (img Image) descriptor() (v1.Descriptor, error) {
	h, err := v1.NewHash(img.Digest)
	if err == nil && (h.Algorithm != "sha256" || !isHex(h.Hex)) {
		err = errors.New("not a SHA-256")
	}
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("image %s: digest %q: %w", img.Name, img.Digest, err)
	}
	return v1.Descriptor{Digest: h}, nil
}
