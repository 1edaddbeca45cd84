// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// NameAnnotation has the name of an image in the index of its layout.
const NameAnnotation = "org.opencontainers.image.ref.name"

// Push sends the image of that name in the image layout dir to a registry, as to, which is REGISTRY/REPOSITORY:TAG, and with it what
// refers to it in the layout, such as its SBOM. It returns the reference by digest.
func Push(ctx context.Context, dir, image, to string, o Options) (string, error) {
	ref, err := o.reference(to)
	if err != nil {
		return "", err
	}
	tag, ok := ref.(name.Tag)
	if !ok {
		return "", fmt.Errorf("%s: push to REGISTRY/REPOSITORY:TAG", to)
	}
	if !strings.HasSuffix(to, ":"+tag.TagStr()) {
		return "", fmt.Errorf("%s has no tag: write %s:TAG", to, to)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return "", fmt.Errorf("read the image layout %s: %w (make dist-images makes one)", dir, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	found, err := layout.Path(dir).ImageIndex()
	if err != nil {
		return "", err
	}
	var names []string
	for _, d := range m.Manifests {
		if n := d.Annotations[NameAnnotation]; n != "" {
			names = append(names, n)
		}
		if !match.Name(image)(d) {
			continue
		}
		return push(ctx, found, m.Manifests, d, tag, o)
	}
	return "", fmt.Errorf("there is no image %q in %s: it has %s", image, dir, strings.Join(names, ", "))
}

func push(ctx context.Context, index v1.ImageIndex, all []v1.Descriptor, d v1.Descriptor, tag name.Tag, o Options) (string, error) {
	opts := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	image, err := index.Image(d.Digest)
	if err != nil {
		return "", err
	}
	o.report("pushing %s, %s", tag, d.Digest)
	if err := remote.Write(tag, image, opts...); err != nil {
		return "", fmt.Errorf("push to %s: %w", tag, err)
	}
	for _, other := range all {
		more, err := index.Image(other.Digest)
		if err != nil {
			return "", err
		}
		m, err := more.Manifest()
		if err != nil {
			return "", err
		}
		if m.Subject == nil || m.Subject.Digest != d.Digest {
			continue
		}
		o.report("pushing what refers to it, %s", other.Digest)
		if err := remote.Write(tag.Context().Digest(other.Digest.String()), more, opts...); err != nil {
			return "", fmt.Errorf("push %s to %s: %w", other.Digest, tag.Context(), err)
		}
	}
	return tag.Context().Digest(d.Digest.String()).String(), nil
}
