// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation with an image's name: the OCI image specification, annotations.md.
const refName = "org.opencontainers.image.ref.name"

// language is a language image that the runner carries.
type language struct {
	name   string
	desc   v1.Descriptor // in the carried index
	config *v1.ConfigFile
	layer  v1.Layer // of the runner: this image's blobs
}

// carry makes the runner's layers: the blobs of each language image, and an index of them, as package rootfs has a store on disk. It also
// copies that store below options.out for the Dockerfile.
func (p *parts) carry(o options) error {
	data, err := os.ReadFile(filepath.Join(o.store, "index.json"))
	if err != nil {
		return fmt.Errorf("language images: %w: run make images", err)
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("language images: parse %s: %w", filepath.Join(o.store, "index.json"), err)
	}
	// A store's index is in the order in which the images were made.
	slices.SortFunc(index.Manifests, func(a, b v1.Descriptor) int { return cmp.Compare(a.Annotations[refName], b.Annotations[refName]) })
	carried := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	copied := filepath.Join(o.out, storeCopy)
	if err := os.RemoveAll(copied); err != nil {
		return err
	}
	for _, desc := range index.Manifests {
		l := language{name: desc.Annotations[refName], desc: desc}
		if l.name == "" {
			continue
		}
		files, err := l.read(o.store, p.arch)
		if err != nil {
			return fmt.Errorf("language image %s: %w", l.name, err)
		}
		if l.layer, err = layerOf(files, o.epoch, stored); err != nil {
			return fmt.Errorf("language image %s: %w", l.name, err)
		}
		if err := copyFiles(copied, files); err != nil {
			return err
		}
		p.languages = append(p.languages, l)
		carried.Manifests = append(carried.Manifests, l.desc)
	}
	if len(p.languages) == 0 {
		return errors.New("there is no language image in " + o.store + ": run make images")
	}
	if data, err = json.MarshalIndent(carried, "", "  "); err != nil {
		return err
	}
	files := []file{
		{name: storeDir + "/index.json", data: data},
		{name: storeDir + "/oci-layout", data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
	}
	if p.index, err = layerOf(files, o.epoch, compressed); err != nil {
		return err
	}
	return copyFiles(copied, files)
}

// read checks the image's blobs against their digests and returns them as files of the carried store.
func (l *language) read(store, arch string) ([]file, error) {
	blob := func(d v1.Descriptor) (file, error) {
		f := file{name: storeDir + "/blobs/sha256/" + d.Digest.Hex, from: filepath.Join(store, "blobs", "sha256", d.Digest.Hex)}
		return f, verify(f.from, d.Digest)
	}
	manifest, err := blob(l.desc)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(manifest.from)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := []file{manifest}
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		f, err := blob(d)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	config, err := os.Open(files[1].from)
	if err != nil {
		return nil, err
	}
	defer config.Close()
	if l.config, err = v1.ParseConfigFile(config); err != nil {
		return nil, err
	}
	if l.config.Architecture != arch {
		return nil, fmt.Errorf("it is for %s, the binary for %s", l.config.Architecture, arch)
	}
	return files, nil
}

// verify reads a file and compares its digest.
func verify(name string, want v1.Hash) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	got, _, err := v1.SHA256(f)
	if err == nil && got != want {
		err = fmt.Errorf("%s is damaged: its digest is %s", name, got)
	}
	return err
}

// copyFiles writes files of the carried store below dir.
func copyFiles(dir string, files []file) error {
	for _, f := range files {
		name, err := filepath.Rel(storeDir, f.name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := f.copyTo(to); err != nil {
			return err
		}
	}
	return nil
}

func (f file) copyTo(to string) error {
	if f.from == "" {
		return os.WriteFile(to, f.data, 0o644)
	}
	in, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
