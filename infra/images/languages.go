// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/ccee-dev/ccee/registry"
	"github.com/ccee-dev/ccee/rootfs"
)

// language is an image of the store.
type language struct {
	rootfs.Image
	image      v1.Image
	descriptor v1.Descriptor
}

// languages reads the store: all that it has, by name.
func languages(dir string) (out []language, err error) {
	store, err := rootfs.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	list, err := store.List(context.Background())
	if err != nil {
		return nil, err
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, img := range list {
		if err := store.Verify(context.Background(), img.Name); err != nil {
			return nil, err
		}
		for _, d := range m.Manifests {
			if d.Digest.String() != img.Digest || d.Annotations[registry.NameAnnotation] != img.Name {
				continue
			}
			image, err := index.Image(d.Digest)
			if err != nil {
				return nil, err
			}
			out = append(out, language{img, image, d})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there are no languages in %s: make images makes them", dir)
	}
	slices.SortFunc(out, func(a, b language) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// carried puts the languages into an image as the store that the daemon reads: a layer a language, so that a change of one leaves
// the others.
func carried(langs []language) (layers []v1.Layer, err error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: "application/vnd.oci.image.index.v1+json"}
	var newest time.Time
	for _, l := range langs {
		files, err := l.blobs()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Name, err)
		}
		layer, err := makeLayer(files, l.Created, incompressible)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Name, err)
		}
		layers = append(layers, layer)
		index.Manifests = append(index.Manifests, l.descriptor)
		if l.Created.After(newest) {
			newest = l.Created
		}
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	layer, err := makeLayer([]file{
		{name: storePath[1:] + "/index.json", content: text(string(raw))},
		{name: storePath[1:] + "/oci-layout", content: text(`{"imageLayoutVersion":"1.0.0"}`)},
	}, newest)
	return append(layers, layer), err
}

// blobs are the files of a language in the store.
func (l language) blobs() ([]file, error) {
	blob := func(d v1.Hash, open func() (io.ReadCloser, error)) file {
		return file{name: path.Join(storePath[1:], "blobs", d.Algorithm, d.Hex), content: open}
	}
	raw, err := l.image.RawManifest()
	if err != nil {
		return nil, err
	}
	m, err := l.image.Manifest()
	if err != nil {
		return nil, err
	}
	config, err := l.image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	files := []file{blob(l.descriptor.Digest, text(string(raw))), blob(m.Config.Digest, text(string(config)))}
	layers, err := l.image.Layers()
	if err != nil {
		return nil, err
	}
	for i, layer := range layers {
		files = append(files, blob(m.Layers[i].Digest, layer.Compressed))
	}
	return files, nil
}
