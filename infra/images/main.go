// SPDX-License-Identifier: Apache-2.0

// Command images makes the container images of CCEE, without a container engine: make dist-images. It writes one OCI image layout with an
// image for each part, and beside it the SBOM of each, which is in the layout too, as a referrer of its image.
//
// The same commit, binary and language images give the same digests: names in order, owner root, and the time of SOURCE_DATE_EPOCH.
// The Dockerfiles here give the same files and the same configuration; a test compares.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/ccee-dev/ccee/registry"
)

// input is what images are made of.
type input struct {
	binary   string // the static binary
	store    string // the image store with the languages
	cas      string // certificates of the authorities that a client trusts, PEM
	version  string
	revision string // commit; "" if not known
	epoch    time.Time
}

func main() {
	in := input{}
	out := flag.String("out", "dist/images", "`DIR` for the image layout and the SBOMs; replaced")
	flag.StringVar(&in.binary, "binary", "bin/ccee", "the static binary, `FILE`")
	flag.StringVar(&in.store, "images", "/var/lib/ccee/images", "image store with the languages, `DIR`")
	flag.StringVar(&in.cas, "ca", "/etc/ssl/certs/ca-certificates.crt", "certificates of the authorities that clients trust, `FILE`")
	flag.StringVar(&in.version, "version", "", "`VERSION` of the binary")
	flag.StringVar(&in.revision, "revision", "", "`COMMIT` that it was built from")
	flag.Parse()
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		fail(fmt.Errorf("SOURCE_DATE_EPOCH: %w: set it to the seconds since 1970 of the commit, as make dist-images does", err))
	}
	in.epoch = time.Unix(seconds, 0).UTC()
	if err := write(in, *out); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "dist-images:", err)
	os.Exit(1)
}

// write makes all images in a directory beside out, which it then replaces.
func write(in input, out string) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	path, err := layout.Write(work, empty.Index)
	if err != nil {
		return err
	}
	langs, err := languages(in.store)
	if err != nil {
		return err
	}
	for _, part := range parts {
		fmt.Printf("%-7s building\n", part.name)
		image, err := part.build(in, langs)
		if err != nil {
			return fmt.Errorf("image %s: %w", part.name, err)
		}
		if err := add(path, part, image, in, langs, work); err != nil {
			return fmt.Errorf("image %s: %w", part.name, err)
		}
	}
	return errors.Join(os.RemoveAll(out), os.Rename(work, out))
}

// add puts an image into the layout, and its SBOM, and prints its digest.
func add(path layout.Path, part part, image v1.Image, in input, langs []language, dir string) error {
	platform := &v1.Platform{OS: "linux", Architecture: architecture}
	named := layout.WithAnnotations(map[string]string{registry.NameAnnotation: part.name})
	if err := path.AppendImage(image, named, layout.WithPlatform(*platform)); err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	bom, err := sbom(part, in, langs, digest)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, part.name+".spdx.json"), bom, 0o644); err != nil {
		return err
	}
	ref, err := referrer(image, bom)
	if err != nil {
		return err
	}
	if err := path.AppendImage(ref); err != nil {
		return err
	}
	size, err := compressed(image)
	if err != nil {
		return err
	}
	fmt.Printf("%-7s %.1f MiB %s\n", part.name, float64(size)/(1<<20), digest)
	return nil
}

func compressed(image v1.Image) (n int64, err error) {
	m, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	for _, l := range m.Layers {
		n += l.Size
	}
	return n, nil
}
