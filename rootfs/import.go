// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// ImportOptions adjust an import.
type ImportOptions struct {
	// Language is a language profile, JSON, put into the label LabelLanguage. Images made elsewhere have none.
	Language []byte
}

// Import stores the image in src under that name, replacing an image of the name; "" is the name of the language in its profile.
// src is an OCI image layout, as a directory or a tar archive, or an archive of "docker save"; archives may be compressed with gzip
// or zstd. Of several images in src, exactly one must be for this machine. All digests are checked.
func (s *Store) Import(ctx context.Context, src, name string, o ImportOptions) (Image, error) {
	w, err := s.newWork()
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", src, err)
	}
	defer w.remove()
	image, err := s.openSource(ctx, src, w)
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", src, err)
	}
	img, err := s.Put(ctx, image, name, o)
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", src, err)
	}
	return img, nil
}

// Put stores an image under that name, by the same rules as Import, wherever its bytes come from. All digests are checked.
func (s *Store) Put(ctx context.Context, image v1.Image, name string, o ImportOptions) (Image, error) {
	if o.Language != nil {
		if !json.Valid(o.Language) {
			return Image{}, errors.New("the language profile is not JSON")
		}
		var err error
		if image, err = withLabel(image, LabelLanguage, string(o.Language)); err != nil {
			return Image{}, err
		}
	}
	name, err := chooseName(name, image)
	if err != nil {
		return Image{}, err
	}
	w, err := s.newWork()
	if err != nil {
		return Image{}, err
	}
	defer w.remove()
	if err := s.putImage(ctx, w, name, image); err != nil {
		return Image{}, err
	}
	return s.Get(ctx, name)
}

// chooseName is the requested name, or that of the image's language.
func chooseName(asked string, image v1.Image) (string, error) {
	name := asked
	if name == "" {
		file, err := image.ConfigFile()
		if err != nil {
			return "", err
		}
		var profile struct{ Name string }
		if err := json.Unmarshal([]byte(file.Config.Labels[LabelLanguage]), &profile); err != nil || profile.Name == "" {
			return "", errors.New("the image has no language profile that names it: give it a name with --name, or a profile with --language FILE")
		}
		name = profile.Name
	}
	if !validName.MatchString(name) {
		return "", fmt.Errorf("%q can't be an image's name: it must match %s", name, validName)
	}
	return name, nil
}

// withLabel returns the image with a label set in its config.
func withLabel(image v1.Image, label, value string) (v1.Image, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	if file.Config.Labels == nil {
		file.Config.Labels = map[string]string{}
	}
	file.Config.Labels[label] = value
	return mutate.ConfigFile(image, file)
}
