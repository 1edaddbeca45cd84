// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Levels of gzip. Language images are compressed already.
const (
	compressed = gzip.DefaultCompression
	stored     = gzip.NoCompression
)

// file is a file of a layer.
type file struct {
	name string // without a leading slash
	from string // where its content is; "": data
	data []byte
	mode int64 // 0: 0644
}

// layerOf returns a layer with these files and their directories: all of root, modified at epoch. It is in memory, as the layers of
// a binary and of three languages are some 150 MB together.
func layerOf(files []file, epoch time.Time, level int) (v1.Layer, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := addParents(t, path.Dir(f.name), epoch, made); err != nil {
			return nil, err
		}
		if err := f.add(t, epoch); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

// addParents adds the directories of dir that made lacks.
func addParents(t *tar.Writer, dir string, epoch time.Time, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	if err := addParents(t, path.Dir(dir), epoch, made); err != nil {
		return err
	}
	made[dir] = true
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: epoch, Format: tar.FormatPAX})
}

func (f file) add(t *tar.Writer, epoch time.Time) error {
	content, size := io.Reader(bytes.NewReader(f.data)), int64(len(f.data))
	if f.from != "" {
		in, err := os.Open(f.from)
		if err != nil {
			return err
		}
		defer in.Close()
		info, err := in.Stat()
		if err != nil {
			return err
		}
		content, size = in, info.Size()
	}
	hdr := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: cmp.Or(f.mode, 0o644), Size: size, ModTime: epoch, Format: tar.FormatPAX}
	if err := t.WriteHeader(hdr); err != nil {
		return err
	}
	_, err := io.Copy(t, content)
	return err
}
