// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// openSource returns the image in src.
func (s *Store) openSource(ctx context.Context, src string, w *work) (v1.Image, error) {
	info, err := os.Stat(src)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return fromLayout(src)
	}
	plain, err := s.plainArchive(ctx, src, w)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return os.Open(plain) }
	if _, err := tarball.LoadManifest(open); err == nil {
		return fromDockerSave(open)
	}
	dir := filepath.Join(w.dir, "layout")
	if err := s.untar(ctx, plain, dir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return nil, errors.New("it is neither an OCI image layout (oci-layout) nor an archive of docker save (manifest.json)")
	}
	return fromLayout(dir)
}

// plainArchive returns the name of an uncompressed copy of the archive, or its own if it is not compressed: it is read from the
// start more than once.
func (s *Store) plainArchive(ctx context.Context, src string, w *work) (string, error) {
	f, err := os.Open(src)
	if err != nil {
		return "", err
	}
	defer f.Close()
	r, closeFn, err := decompress(&ctxReader{ctx, f})
	if err != nil {
		return "", err
	}
	defer closeFn()
	if _, same := r.(*bufio.Reader); same {
		return src, nil
	}
	plain, err := os.Create(filepath.Join(w.dir, "archive.tar"))
	if err != nil {
		return "", err
	}
	defer plain.Close()
	n, err := io.Copy(plain, io.LimitReader(r, s.bounds.Bytes+1))
	if err == nil && n > s.bounds.Bytes {
		err = fmt.Errorf("it decompresses to more than %d bytes", s.bounds.Bytes)
	}
	return plain.Name(), err
}

// untar unpacks an archive by the same rules as a layer.
func (s *Store) untar(ctx context.Context, file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacker{root: root, bounds: s.bounds, left: s.bounds}
	return u.layer(ctx, f)
}

// fromLayout returns the image for this machine in an OCI image layout.
func fromLayout(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	found, err := forThisMachine(index, 0)
	if err != nil {
		return nil, err
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("there is no image for linux/%s in it", runtime.GOARCH)
	default:
		return nil, fmt.Errorf("there are %d images for linux/%s in it: import takes one", len(found), runtime.GOARCH)
	}
}

// maxNested bounds how deep indexes may be nested.
const maxNested = 8

// forThisMachine returns the images of an index, and of the indexes in it, whose platform is this machine's or not given.
func forThisMachine(index v1.ImageIndex, depth int) ([]v1.Image, error) {
	if depth > maxNested {
		return nil, fmt.Errorf("indexes are nested deeper than %d", maxNested)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var found []v1.Image
	for _, d := range m.Manifests {
		switch {
		case d.MediaType.IsIndex():
			nested, err := index.ImageIndex(d.Digest)
			if err != nil {
				return nil, err
			}
			more, err := forThisMachine(nested, depth+1)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		case d.MediaType.IsImage() && (d.Platform == nil || d.Platform.OS == "linux" && d.Platform.Architecture == runtime.GOARCH):
			image, err := checkedImage(index, d)
			if err != nil {
				return nil, err
			}
			found = append(found, image)
		}
	}
	return found, nil
}

// checkedImage returns the image of a descriptor, whose manifest must have the digest that the index gives it. The digests
// of its config and layers are checked when they are copied.
func checkedImage(index v1.ImageIndex, d v1.Descriptor) (v1.Image, error) {
	image, err := index.Image(d.Digest)
	if err != nil {
		return nil, err
	}
	data, err := image.RawManifest()
	if err != nil {
		return nil, err
	}
	got, _, err := v1.SHA256(strings.NewReader(string(data)))
	if err != nil {
		return nil, err
	}
	if got != d.Digest {
		return nil, fmt.Errorf("manifest %s is damaged: it has the digest %s", d.Digest, got)
	}
	return image, nil
}

// fromDockerSave returns the one image in an archive of docker save. Only the config has the digests of its layers,
// so they are checked here.
func fromDockerSave(open tarball.Opener) (v1.Image, error) {
	image, err := tarball.Image(open, nil)
	if err != nil {
		return nil, fmt.Errorf("archive of docker save: %w", err)
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("archive of docker save: %w", err)
	}
	for _, layer := range layers {
		if err := checkDiffID(layer); err != nil {
			return nil, fmt.Errorf("archive of docker save: %w", err)
		}
	}
	return image, nil
}

// checkDiffID compares a layer's uncompressed content with its digest.
func checkDiffID(layer v1.Layer) error {
	want, err := layer.DiffID()
	if err != nil {
		return err
	}
	r, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	got, _, err := v1.SHA256(r)
	if err == nil && got != want {
		err = fmt.Errorf("layer %s is damaged: its content has the digest %s", want, got)
	}
	return err
}
