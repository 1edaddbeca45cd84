// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxJSON bounds manifests and configs: bytes, as in package rootfs.
const maxJSON = 4 << 20

// webImage is an image of an OCI image layout behind a web server, such as an S3-compatible bucket.
type webImage struct {
	ctx      context.Context
	client   *http.Client
	base     string
	raw      []byte
	manifest *v1.Manifest
}

func openLayout(ctx context.Context, t http.RoundTripper, s source) (v1.Image, error) {
	w := &webImage{ctx: ctx, client: &http.Client{Transport: t}, base: s.base.String()}
	var err error
	if w.raw, err = w.small(s.digest); err != nil {
		return nil, err
	}
	if w.manifest, err = v1.ParseManifest(bytes.NewReader(w.raw)); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	return partial.CompressedToImage(w)
}

// get opens a blob.
func (w *webImage) get(digest v1.Hash) (io.ReadCloser, error) {
	if digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("digest %q: only sha256 digests are supported", digest)
	}
	url := w.base + "/blobs/sha256/" + digest.Hex
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, &statusError{url, resp.StatusCode}
	}
	return resp.Body, nil
}

// small returns a whole blob, which must have the digest.
func (w *webImage) small(digest v1.Hash) ([]byte, error) {
	r, err := w.get(digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxJSON {
		return nil, fmt.Errorf("blob %s: more than %d bytes of JSON", digest, maxJSON)
	}
	if got, _, err := v1.SHA256(bytes.NewReader(data)); err != nil || got != digest {
		return nil, &mismatchError{digest, got}
	}
	return data, nil
}

// RawManifest, RawConfigFile, MediaType and LayerByDigest make it a partial.CompressedImageCore.
func (w *webImage) RawManifest() ([]byte, error)        { return w.raw, nil }
func (w *webImage) RawConfigFile() ([]byte, error)      { return w.small(w.manifest.Config.Digest) }
func (w *webImage) MediaType() (types.MediaType, error) { return w.manifest.MediaType, nil }
func (w *webImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range w.manifest.Layers {
		if d.Digest == h {
			return &webLayer{w, d}, nil
		}
	}
	return nil, fmt.Errorf("no layer %s", h)
}

type webLayer struct {
	w    *webImage
	desc v1.Descriptor
}

func (l *webLayer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l *webLayer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *webLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l *webLayer) Compressed() (io.ReadCloser, error)  { return l.w.get(l.desc.Digest) }
