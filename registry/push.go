// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// refName is the annotation with an image's name: the OCI image specification, annotations.md.
const refName = "org.opencontainers.image.ref.name"

// Options are how a registry is reached, and where progress is told.
type Options struct {
	Insecure bool      // plain HTTP, which must be to the loopback
	Progress io.Writer // gets lines for people; nil: nobody
}

func (o Options) say(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, format+"\n", args...)
	}
}

// Push uploads the image of that name ("": the only one) in the OCI image layout dir to HOST/REPOSITORY:TAG, and with it the artifacts
// that refer to it, such as its bill of materials. It returns the reference by digest. Credentials are those of docker login
// (~/.docker/config.json or DOCKER_CONFIG).
func Push(ctx context.Context, dir, image, to string, o Options) (string, error) {
	where, tag, err := splitTag(to, o.Insecure)
	if err != nil {
		return "", err
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		return "", fmt.Errorf("%s is not an OCI image layout: %w", dir, err)
	}
	desc, referrers, err := choose(path, image)
	if err != nil {
		return "", fmt.Errorf("layout %s: %w", dir, err)
	}
	if err := checkBlobs(dir, path, append(referrers, desc)); err != nil {
		return "", fmt.Errorf("layout %s: %w", dir, err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	img, err := path.Image(desc.Digest)
	if err != nil {
		return "", err
	}
	o.say("push %s to %s", desc.Digest, where.Tag(tag))
	if err := remote.Write(where.Tag(tag), img, options...); err != nil {
		return "", fmt.Errorf("push to %s: %w", to, err)
	}
	for _, r := range referrers {
		artifact, err := path.Image(r.Digest)
		if err != nil {
			return "", err
		}
		o.say("push %s, which refers to it", r.ArtifactType)
		if err := remote.Write(where.Digest(r.Digest.String()), artifact, options...); err != nil {
			return "", fmt.Errorf("push %s to %s: %w", r.ArtifactType, to, err)
		}
	}
	return where.Digest(desc.Digest.String()).String(), nil
}

// splitTag parses HOST/REPOSITORY:TAG.
func splitTag(to string, insecure bool) (name.Repository, string, error) {
	i := strings.LastIndexByte(to, ':')
	if i < strings.LastIndexByte(to, '/') || i < 0 || strings.Contains(to, "@") {
		return name.Repository{}, "", fmt.Errorf("%q must be HOST/REPOSITORY:TAG", to)
	}
	where, err := repository(to[:i], insecure)
	if err == nil {
		_, err = name.NewTag(where.Name() + ":" + to[i+1:])
	}
	return where, to[i+1:], err
}

// choose returns the descriptors of an image and of the artifacts whose subject it is.
func choose(path layout.Path, image string) (found v1.Descriptor, referrers []v1.Descriptor, err error) {
	index, err := path.ImageIndex()
	if err != nil {
		return found, nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return found, nil, err
	}
	var names []string
	for _, d := range m.Manifests {
		if n := d.Annotations[refName]; n != "" {
			names = append(names, n)
			if image == "" || n == image {
				found = d
			}
		}
	}
	switch {
	case found.Digest.Hex == "":
		return found, nil, fmt.Errorf("no image %q: there are %s", image, strings.Join(names, ", "))
	case image == "" && len(names) > 1:
		return found, nil, fmt.Errorf("several images: name one of %s", strings.Join(names, ", "))
	}
	for _, d := range m.Manifests {
		if d.Annotations[refName] != "" || !d.MediaType.IsImage() {
			continue
		}
		artifact, err := path.Image(d.Digest)
		if err != nil {
			return found, nil, err
		}
		if manifest, err := artifact.Manifest(); err != nil {
			return found, nil, err
		} else if manifest.Subject != nil && manifest.Subject.Digest == found.Digest {
			referrers = append(referrers, d)
		}
	}
	return found, referrers, nil
}

// checkBlobs compares what is about to be pushed with its digests: a registry would refuse it after minutes, or not at all.
func checkBlobs(dir string, path layout.Path, images []v1.Descriptor) error {
	for _, d := range images {
		image, err := path.Image(d.Digest)
		if err != nil {
			return err
		}
		m, err := image.Manifest()
		if err != nil {
			return err
		}
		for _, b := range append([]v1.Descriptor{d, m.Config}, m.Layers...) {
			if err := checkBlob(filepath.Join(dir, "blobs", b.Digest.Algorithm, b.Digest.Hex), b); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkBlob(file string, desc v1.Descriptor) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	got, size, err := v1.SHA256(f)
	if err == nil && (got != desc.Digest || size != desc.Size) {
		err = errors.New("blob " + desc.Digest.String() + " is damaged: its digest is " + got.String())
	}
	return err
}
