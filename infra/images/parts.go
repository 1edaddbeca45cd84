// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// storeCopy and certsFile are what the Dockerfiles copy besides the binary, passwd and group; below options.out.
const (
	storeCopy = "store"
	certsFile = "ca-certificates.crt"
)

// parts are what the images are put together of. What several images have is a layer of its own, so that registries and hosts keep it once.
type parts struct {
	info      *buildinfo.BuildInfo
	arch      string // GOARCH
	base      v1.Layer
	binary    v1.Layer
	languages []language
	index     v1.Layer // index.json and oci-layout of the carried store
}

// gather reads the binary, the certificates and the language images, and makes the layers.
func gather(o options) (*parts, error) {
	p := &parts{}
	var err error
	if p.info, p.arch, err = inspect(o.binary); err != nil {
		return nil, err
	}
	certs, err := certificates(o.certs)
	if err != nil {
		return nil, err
	}
	// For the Dockerfiles too.
	if err := os.WriteFile(filepath.Join(o.out, certsFile), certs, 0o644); err != nil {
		return nil, err
	}
	base := []file{{name: "etc/ssl/certs/" + certsFile, from: filepath.Join(o.out, certsFile)}}
	for _, name := range []string{"passwd", "group"} {
		base = append(base, file{name: "etc/" + name, from: filepath.Join(o.files, name)})
	}
	if p.base, err = layerOf(base, o.epoch, compressed); err != nil {
		return nil, err
	}
	if p.binary, err = layerOf([]file{{name: "usr/bin/ccee", from: o.binary, mode: 0o755}}, o.epoch, compressed); err != nil {
		return nil, err
	}
	return p, p.carry(o)
}

// inspect returns the build information of a binary, which must be static: the images have no libraries.
func inspect(binary string) (*buildinfo.BuildInfo, string, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, "", err
	}
	f, err := elf.Open(binary)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return nil, "", fmt.Errorf("%s is linked dynamically: build it with make build", binary)
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" {
			return info, s.Value, nil
		}
	}
	return nil, "", fmt.Errorf("%s does not tell its architecture", binary)
}

// certificates returns the certificates of Debian's package as one file. Not /etc/ssl/certs: that has what was added to this machine.
func certificates(dir string) ([]byte, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.crt"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no CA certificate in " + dir + ": install ca-certificates")
	}
	var all bytes.Buffer
	for _, name := range names { // Glob sorts
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all.Write(bytes.TrimSpace(pem))
		all.WriteByte('\n')
	}
	return all.Bytes(), nil
}

// image puts a role's image together.
func (p *parts) image(r role, o options) (v1.Image, error) {
	layers := []v1.Layer{p.base, p.binary}
	if r.languages {
		for _, l := range p.languages {
			layers = append(layers, l.layer)
		}
		layers = append(layers, p.index)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, layer := range layers {
		var err error
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, History: v1.History{Created: v1.Time{Time: o.epoch}, CreatedBy: "make dist-images"},
		})
		if err != nil {
			return nil, err
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Created = p.arch, "linux", v1.Time{Time: o.epoch}
	file.Config = r.config(o)
	return mutate.ConfigFile(image, file)
}
