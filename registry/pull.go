// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Bounds of what a server may send.
const (
	maxManifest = 4 << 20
	maxBlobs    = 1 << 30 // bytes of a config or a layer
	maxLayers   = 128
	tries       = 4
	firstPause  = 500 * time.Millisecond // between tries, doubled each time
)

// source is where an image comes from. Its errors wrap errRefused when asking again is no use.
type source interface {
	manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error)
	blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error)
}

var errRefused = errors.New("refused")

// Pull fetches an image into dir, as an OCI image layout with that image alone; dir must be empty or missing. The image is
// REGISTRY/REPOSITORY@sha256:DIGEST, or https://HOST/PATH@sha256:DIGEST for an image layout on a web server. Of an index it takes the image
// for this machine. What breaks off is tried again; what does not have the digest or the size that it should have is an error at once.
func Pull(ctx context.Context, image, dir string, o Options) error {
	src, digest, err := o.source(image)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	p := puller{src, dir, o}
	if err := p.pull(ctx, digest); err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	return nil
}

func (o Options) source(image string) (source, v1.Hash, error) {
	if strings.HasPrefix(image, "https://") || strings.HasPrefix(image, "http://") {
		base, digest, err := o.web(image)
		return web{base}, digest, err
	}
	ref, err := o.reference(image)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	d, ok := ref.(name.Digest)
	if !ok {
		return nil, v1.Hash{}, errNoDigest(image)
	}
	digest, err := v1.NewHash(d.DigestStr())
	return remoteSource{d.Context()}, digest, err
}

type puller struct {
	source
	dir string
	o   Options
}

func (p puller) pull(ctx context.Context, digest v1.Hash) error {
	desc, m, err := p.image(ctx, digest)
	if err != nil {
		return err
	}
	if len(m.Layers) > maxLayers {
		return fmt.Errorf("it has %d layers, at most %d may be", len(m.Layers), maxLayers)
	}
	for i, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if i > 0 {
			p.o.report("layer %d of %d, %.1f MiB", i, len(m.Layers), float64(d.Size)/(1<<20))
		}
		if err := p.again(ctx, func() error { return p.fetch(ctx, d) }); err != nil {
			return fmt.Errorf("%s: %w", d.Digest, err)
		}
	}
	path, err := layout.Write(p.dir, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendDescriptor(desc)
}

// image fetches the manifest, and where it is that of an index, the one for this machine.
func (p puller) image(ctx context.Context, digest v1.Hash) (d v1.Descriptor, m *v1.Manifest, err error) {
	for range 2 {
		var raw []byte
		if err := p.again(ctx, func() error { raw, err = p.readManifest(ctx, digest); return err }); err != nil {
			return d, nil, fmt.Errorf("manifest: %w", err)
		}
		var kind struct{ MediaType types.MediaType }
		if err := json.Unmarshal(raw, &kind); err != nil {
			return d, nil, fmt.Errorf("manifest: %w", err)
		}
		if !kind.MediaType.IsIndex() {
			if m, err = v1.ParseManifest(bytes.NewReader(raw)); err != nil {
				return d, nil, err
			}
			d = v1.Descriptor{MediaType: kind.MediaType, Size: int64(len(raw)), Digest: digest}
			return d, m, os.WriteFile(p.file(digest), raw, 0o644)
		}
		if digest, err = forThisMachine(raw); err != nil {
			return d, nil, err
		}
	}
	return d, nil, errors.New("an index in an index")
}

func forThisMachine(raw []byte) (v1.Hash, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return v1.Hash{}, err
	}
	for _, d := range index.Manifests {
		if d.Platform != nil && d.Platform.OS == "linux" && d.Platform.Architecture == runtime.GOARCH {
			return d.Digest, nil
		}
	}
	return v1.Hash{}, fmt.Errorf("it has no image for linux/%s", runtime.GOARCH)
}

func (p puller) readManifest(ctx context.Context, digest v1.Hash) ([]byte, error) {
	r, err := p.manifest(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if got := sum(raw); len(raw) > maxManifest || got != digest.Hex {
		return nil, fmt.Errorf("%w: it has the digest sha256:%s, not %s", errRefused, got, digest)
	}
	return raw, nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func (p puller) file(digest v1.Hash) string {
	return filepath.Join(p.dir, "blobs", "sha256", digest.Hex)
}

// fetch writes a blob, which gets its name when its digest is right.
func (p puller) fetch(ctx context.Context, d v1.Descriptor) error {
	if d.Digest.Algorithm != "sha256" || d.Size < 0 || d.Size > maxBlobs {
		return fmt.Errorf("%w: %s of %d bytes", errRefused, d.Digest.Algorithm, d.Size)
	}
	r, err := p.blob(ctx, d.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.CreateTemp(p.dir, "blob-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, d.Size+1))
	switch {
	case err != nil:
		return err
	case n < d.Size:
		return fmt.Errorf("it broke off after %d of %d bytes", n, d.Size)
	case n > d.Size || hex.EncodeToString(h.Sum(nil)) != d.Digest.Hex:
		return fmt.Errorf("%w: what the server has under this digest has another", errRefused)
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), p.file(d.Digest))
}

// again tries until it works, tries are used up, or more of them are no use.
func (p puller) again(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == tries || errors.Is(err, errRefused) || ctx.Err() != nil {
			return err
		}
		pause := firstPause << (n - 1)
		p.o.report("%v: trying again", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}
