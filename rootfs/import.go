package rootfs

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// ImportOptions adjust an import.
type ImportOptions struct {
	// Language is a language profile, JSON, put into the label LabelLanguage. Images made elsewhere have none.
	Language []byte
}

// Import stores the image in src under that name, replacing an image of the name. src is an OCI image layout as a directory
// or a tar archive, or what "docker save" writes; archives may be compressed with gzip or zstd. Of several images in src,
// the one for this machine is taken, which must be one. All digests are checked.
func (s *Store) Import(ctx context.Context, src, name string, o ImportOptions) (Image, error) {
	if !validName.MatchString(name) {
		return Image{}, fmt.Errorf("import %s: %q can't be an image's name: it must match %s", src, name, validName)
	}
	if o.Language != nil && !json.Valid(o.Language) {
		return Image{}, fmt.Errorf("import %s: the language profile is not JSON", src)
	}
	w, err := s.newWork()
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", src, err)
	}
	defer w.remove()
	image, err := s.openSource(ctx, src, w)
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", src, err)
	}
	if o.Language != nil {
		if image, err = withLabel(image, LabelLanguage, string(o.Language)); err != nil {
			return Image{}, fmt.Errorf("import %s: %w", src, err)
		}
	}
	if err := s.putImage(ctx, w, name, image); err != nil {
		return Image{}, fmt.Errorf("import %s: %w", src, err)
	}
	return s.Get(ctx, name)
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
