// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDamagedBlob(t *testing.T) {
	image := testImage(t, nil, archive(t, file("a", "x")))
	manifest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	flip := func(t *testing.T, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)-1] ^= 1
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cut := func(t *testing.T, path string) {
		if err := os.Truncate(path, 10); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for what, damage := range map[string]func(*testing.T, string){"flipped": flip, "cut": cut, "missing": remove} {
		for part, path := range map[string]func(*Store) string{
			"layer":    func(s *Store) string { return layerPath(t, s, image) },
			"config":   func(s *Store) string { return s.blobPath(config.Hex) },
			"manifest": func(s *Store) string { return s.blobPath(manifest.Hex) },
		} {
			t.Run(part+" "+what, func(t *testing.T) {
				dir := t.TempDir()
				put(t, testStore(t, dir), "demo", image)
				s := testStore(t, dir) // one that has nothing cached
				blob := path(s)
				damage(t, blob)
				img, err := s.Get(t.Context(), "demo")
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.Unpack(t.Context(), img)
				if err == nil || !strings.Contains(err.Error(), filepath.Base(blob)) || !strings.Contains(err.Error(), "build or import") {
					t.Errorf("unpack: %v, want the digest and what to do", err)
				}
				if part == "layer" && !errors.As(err, new(*DamagedError)) {
					t.Errorf("unpack: %#v has no DamagedError", err)
				}
				if trees, err := os.ReadDir(s.Dir()); err != nil || len(trees) > 0 {
					t.Errorf("there are trees: %v, %v", trees, err)
				}
				if err := s.Verify(t.Context(), "demo"); !errors.As(err, new(*DamagedError)) {
					t.Errorf("verify: %v, want a DamagedError", err)
				}
				put(t, s, "demo", image)
				if _, err := s.Unpack(t.Context(), put(t, s, "demo", image)); err != nil {
					t.Errorf("after storing it again: %v", err)
				}
			})
		}
	}
}

func TestVerifyTree(t *testing.T) {
	s := testStore(t, "")
	img := put(t, s, "demo", testImage(t, nil, archive(t, file("a", "x"), file("d/b", "y"), symlink("l", "a"))))
	root, err := s.Unpack(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name       string
		undo, do   func() error
		wantInText string
	}{
		{"content", func() error { return os.WriteFile(root+"/a", []byte("x"), 0o644) },
			func() error { return os.WriteFile(root+"/a", []byte("z"), 0o644) }, `\"a\"`},
		{"mode", func() error { return os.Chmod(root+"/a", 0o644) }, func() error { return os.Chmod(root+"/a", 0o4755) }, `\"a\"`},
		{"more", func() error { return os.Remove(root + "/c") }, func() error { return os.WriteFile(root+"/c", nil, 0o644) }, `\"c\"`},
		{"less", func() error { return os.Symlink("a", root+"/l") }, func() error { return os.Remove(root + "/l") }, `\"l\"`},
	}
	for _, tt := range tests {
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(t.Context(), "demo"); err == nil || !strings.Contains(err.Error(), tt.wantInText) {
			t.Errorf("%s: verify: %v, want an error with %s", tt.name, err, tt.wantInText)
		}
		if err := tt.undo(); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(t.Context(), "demo"); err != nil {
			t.Errorf("%s undone: verify: %v", tt.name, err)
		}
	}
}
