// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// watch ends an attempt when nothing comes for stall.
type watch struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// watched is an image whose layers are compared with their digest and size while they are read, and tell how far that is.
type watched struct {
	v1.Image
	watch  *watch
	say    func(format string, args ...any)
	source string
}

// Layers returns the watched layers.
func (w *watched) Layers() ([]v1.Layer, error) {
	layers, err := w.Image.Layers()
	for i, l := range layers {
		layers[i] = &watchedLayer{l, w}
	}
	return layers, err
}

type watchedLayer struct {
	v1.Layer
	image *watched
}

// Compressed returns a reader that fails unless the bytes are those of the manifest.
func (l *watchedLayer) Compressed() (io.ReadCloser, error) {
	digest, err := l.Digest()
	if err != nil {
		return nil, err
	}
	size, err := l.Size()
	if err != nil {
		return nil, err
	}
	r, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return &checkedReader{ReadCloser: r, image: l.image, want: digest, size: size, hash: sha256.New()}, nil
}

type checkedReader struct {
	io.ReadCloser
	image *watched
	want  v1.Hash
	size  int64
	hash  hash.Hash
	n     int64
	tenth int64 // told
}

// Read passes no byte on beyond the manifest's size.
func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		r.image.watch.timer.Reset(stall)
	}
	r.hash.Write(p[:n])
	r.n += int64(n)
	got := func() v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(r.hash.Sum(nil))} }
	switch {
	case r.n > r.size:
		return 0, &mismatchError{r.want, got()}
	case err == io.EOF && r.n < r.size:
		return n, io.ErrUnexpectedEOF // cut off: another attempt may do
	case err == io.EOF && got() != r.want:
		return n, &mismatchError{r.want, got()}
	}
	if r.size > 0 && r.n*10/r.size > r.tenth {
		r.tenth = r.n * 10 / r.size
		r.image.say("%s: %d of %d MiB", r.image.source, r.n>>20, r.size>>20)
	}
	return n, err
}
