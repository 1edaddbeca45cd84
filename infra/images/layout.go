// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// spdxType is the media type of a bill of materials: IANA, application/spdx+json.
const spdxType = "application/spdx+json"

// writeLayout writes an OCI image layout with an image and its bill of materials, replacing one that is there.
func writeLayout(dir, name string, image v1.Image, bill []byte) error {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		// Whatever else a slip in -out names must stay.
		if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil && len(entries) > 0 {
			return fmt.Errorf("%s is not an OCI image layout: remove it, or choose another directory", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return err
	}
	named := layout.WithAnnotations(map[string]string{refName: name})
	if err := to.AppendImage(image, named, layout.WithPlatform(*file.Platform())); err != nil {
		return err
	}
	a, err := newArtifact(image, bill)
	if err != nil {
		return err
	}
	return a.appendTo(to)
}

// artifact is a bill of materials as the OCI image specification, manifest.md, has artifacts: an empty config, one blob, and the image as
// its subject.
type artifact struct {
	blob     v1.Layer
	config   v1.Layer
	manifest []byte
	desc     v1.Descriptor
}

func newArtifact(subject v1.Image, bill []byte) (*artifact, error) {
	a := &artifact{blob: static.NewLayer(bill, spdxType), config: static.NewLayer([]byte("{}"), "application/vnd.oci.empty.v1+json")}
	of, err := partial.Descriptor(subject)
	if err != nil {
		return nil, err
	}
	of.ArtifactType = "" // not a member of a subject's descriptor
	blob, err := partial.Descriptor(a.blob)
	if err != nil {
		return nil, err
	}
	config, err := partial.Descriptor(a.config)
	if err != nil {
		return nil, err
	}
	a.manifest, err = json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: spdxType,
		Config: *config, Layers: []v1.Descriptor{*blob}, Subject: of,
	})
	if err != nil {
		return nil, err
	}
	m, err := partial.Descriptor(static.NewLayer(a.manifest, types.OCIManifestSchema1))
	if err != nil {
		return nil, err
	}
	a.desc = *m
	a.desc.ArtifactType = spdxType
	return a, nil
}

func (a *artifact) appendTo(to layout.Path) error {
	for _, l := range []v1.Layer{a.blob, a.config, static.NewLayer(a.manifest, types.OCIManifestSchema1)} {
		digest, err := l.Digest()
		if err != nil {
			return err
		}
		r, err := l.Compressed()
		if err != nil {
			return err
		}
		if err := to.WriteBlob(digest, r); err != nil {
			return err
		}
	}
	return to.AppendDescriptor(a.desc)
}
