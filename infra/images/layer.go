// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// file is a regular file of a layer.
type file struct {
	name    string // from the root, without a slash
	mode    int64  // 0: 0644
	content func() (io.ReadCloser, error)
}

func text(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func onDisk(name string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(name) }
}

// makeLayer packs the files, and the directories that they are in, sorted, of root, with that time.
func makeLayer(files []file, epoch time.Time, opts ...tarball.LayerOption) (v1.Layer, error) {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	made := map[string]bool{}
	for _, f := range files {
		if err := makeDirs(w, path.Dir(f.name), made, epoch); err != nil {
			return nil, err
		}
		if err := f.write(w, epoch); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, append([]tarball.LayerOption{tarball.WithMediaType(types.OCILayer)}, opts...)...)
}

// incompressible is for layers whose files are compressed already.
var incompressible = tarball.WithCompressionLevel(gzip.NoCompression)

func makeDirs(w *tar.Writer, dir string, made map[string]bool, epoch time.Time) error {
	if dir == "." || made[dir] {
		return nil
	}
	if err := makeDirs(w, path.Dir(dir), made, epoch); err != nil {
		return err
	}
	made[dir] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: epoch, Format: tar.FormatPAX})
}

func (f file) write(w *tar.Writer, epoch time.Time) error {
	r, err := f.content()
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	mode := f.mode
	if mode == 0 {
		mode = 0o644
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: mode, Size: int64(len(b)), ModTime: epoch, Format: tar.FormatPAX}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
