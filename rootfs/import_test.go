// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// dockerSave writes the images as docker save does.
func dockerSave(t *testing.T, images ...v1.Image) string {
	t.Helper()
	refs := map[name.Reference]v1.Image{}
	for i, img := range images {
		tag, err := name.NewTag("example.org/demo:v" + string(rune('1'+i)))
		if err != nil {
			t.Fatal(err)
		}
		refs[tag] = img
	}
	path := filepath.Join(t.TempDir(), "saved.tar")
	if err := tarball.MultiRefWriteToFile(path, refs); err != nil {
		t.Fatal(err)
	}
	return path
}

// ociLayout writes an OCI layout with the image for this machine and one for another, below an index of their own.
func ociLayout(t *testing.T, image v1.Image) string {
	t.Helper()
	other := testImage(t, nil, archive(t, file("other", "x")))
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: other, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}},
		mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}})
	dir := t.TempDir()
	if _, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index})); err != nil {
		t.Fatal(err)
	}
	return dir
}

// packed writes the directory as a tar archive.
func packed(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layout.tar.zst")
	if err := packTree(dir, path, epoch); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(data)
	z.Close()
	if err := os.WriteFile(path+".gz", buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path + ".gz"
}

func TestImport(t *testing.T) {
	image := testImage(t, nil, archive(t, file("a", "old")), archive(t, file("a", "new")))
	sources := map[string]string{
		"docker save":          dockerSave(t, image),
		"docker save, gzip":    gzipped(t, dockerSave(t, image)),
		"OCI layout":           ociLayout(t, image),
		"OCI layout, tar.zst":  packed(t, ociLayout(t, image)),
		"OCI layout, one only": oneImage(t, image),
	}
	for what, src := range sources {
		t.Run(what, func(t *testing.T) {
			s := testStore(t, "")
			img, err := s.Import(t.Context(), src, "demo", ImportOptions{Language: []byte(`{"name":"demo"}`)})
			if err != nil {
				t.Fatal(err)
			}
			if got := img.Labels[LabelLanguage]; got != `{"name":"demo"}` {
				t.Errorf("label %q", got)
			}
			root, err := s.Unpack(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := listing(t, root), "-rw-r--r-- a = new\n"; got != want {
				t.Errorf("the tree is %q, want %q", got, want)
			}
			if left, err := os.ReadDir(filepath.Join(s.dir, "work")); err != nil || len(left) > 0 {
				t.Errorf("work/ has %v, %v", left, err)
			}
		})
	}
}

func oneImage(t *testing.T, image v1.Image) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image})); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImportRefuses(t *testing.T) {
	image := testImage(t, nil, archive(t, file("a", "x")))
	second := testImage(t, nil, archive(t, file("a", "y")))
	foreign := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}})
	foreignDir := t.TempDir()
	if _, err := layout.Write(foreignDir, foreign); err != nil {
		t.Fatal(err)
	}
	notImage := filepath.Join(t.TempDir(), "x.tar")
	if err := os.WriteFile(notImage, archive(t, file("a", "x")), 0o644); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(text, []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, src, image, language, want string }{
		{"no such file", "/nonexistent", "demo", "", "no such file"},
		{"not an archive", text, "demo", "", "archive"},
		{"another archive", notImage, "demo", "", "neither"},
		{"another directory", t.TempDir(), "demo", "", "index.json"},
		{"another platform", foreignDir, "demo", "", "no image for linux/"},
		{"two images", dockerSave(t, image, second), "demo", "", "single image"},
		{"bad name", oneImage(t, image), "../demo", "", "can't be an image's name"},
		{"bad profile", oneImage(t, image), "demo", "{", "not JSON"},
		{"damaged layer", damagedLayout(t, image, 0), "demo", "", "damaged"},
		{"damaged config", damagedLayout(t, image, 1), "demo", "", "damaged"},
		{"damaged manifest", damagedLayout(t, image, 2), "demo", "", "damaged"},
		{"damaged docker save", damagedSave(t, image), "demo", "", "damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testStore(t, "")
			var o ImportOptions
			if tt.language != "" {
				o.Language = []byte(tt.language)
			}
			_, err := s.Import(t.Context(), tt.src, tt.image, o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("import: %v, want an error with %q", err, tt.want)
			}
			if list, err := s.List(t.Context()); err != nil || len(list) > 0 {
				t.Errorf("the store has %v, %v", list, err)
			}
		})
	}
}

// damagedLayout returns a layout in which one blob was changed: 0 the layer, 1 the config, 2 the manifest.
func damagedLayout(t *testing.T, image v1.Image, which int) string {
	t.Helper()
	dir := oneImage(t, image)
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digests := make([]v1.Hash, 3)
	for i, get := range []func() (v1.Hash, error){layers[0].Digest, image.ConfigName, image.Digest} {
		if digests[i], err = get(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "blobs", "sha256", digests[which].Hex)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, '\n') // still JSON
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// damagedSave returns an archive of docker save whose config promises another layer.
func damagedSave(t *testing.T, image v1.Image) string {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs[0].Hex = strings.Repeat("ab", 32)
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "saved.tar")
	manifest := `[{"Config":"config.json","RepoTags":["demo:v1"],"Layers":["layer.tar"]}]`
	data := archive(t, file("manifest.json", manifest), file("config.json", string(raw)), file("layer.tar", string(archive(t, file("a", "x")))))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
