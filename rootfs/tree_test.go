// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"os"
	"testing"
)

// A tree that was damaged since it was unpacked is never handed out. Where nobody uses it, it is removed and unpacked again.
func TestDamagedTree(t *testing.T) {
	image := testImage(t, nil, archive(t, file("a", "xy"), file("d/b", "y"), symlink("l", "a")))
	for name, damage := range map[string]func(root string) error{
		"cut":     func(root string) error { return os.Truncate(root+"/a", 1) },
		"mode":    func(root string) error { return os.Chmod(root+"/a", 0o600) },
		"missing": func(root string) error { return os.Remove(root + "/d/b") },
		"more":    func(root string) error { return os.WriteFile(root+"/more", nil, 0o644) },
		"no root": os.RemoveAll,
		"no list": func(root string) error { return os.Remove(root + "/../sums") },
		"other link": func(root string) error {
			return errors.Join(os.Remove(root+"/l"), os.Symlink("elsewhere", root+"/l"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			other := testStore(t, dir) // another process that uses the tree
			img := put(t, other, "demo", image)
			root, err := other.Unpack(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			s := testStore(t, dir)
			if err := s.CheckTree(t.Context(), img); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			if err := damage(root); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{"check": s.CheckTree(t.Context(), img), "unpack": second(s.Unpack(t.Context(), img))} {
				if fault := (*TreeError)(nil); !errors.As(err, &fault) || fault.Removed {
					t.Errorf("%s while it is in use: %v, want a *TreeError of a tree that stays", what, err)
				}
			}
			other.Close()
			if fault := (*TreeError)(nil); !errors.As(s.CheckTree(t.Context(), img), &fault) || !fault.Removed {
				t.Errorf("check when nobody uses it: %v, want a *TreeError of a tree that was removed", fault)
			}
			if root, err = s.Unpack(t.Context(), img); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(root + "/a"); err != nil || string(b) != "xy" {
				t.Errorf("unpacked again: %q, %v", b, err)
			}
			if err := errors.Join(s.CheckTree(t.Context(), img), s.Verify(t.Context(), "demo")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestCheckTreeOfNone(t *testing.T) {
	s := testStore(t, "")
	if err := s.CheckTree(t.Context(), put(t, s, "demo", testImage(t, nil, archive(t, file("a", "x"))))); err != nil {
		t.Errorf("an image that is not unpacked: %v", err)
	}
}

// BenchmarkCheckTree checks the machine's images: CCEE_IMAGES=/var/lib/ccee/images.
func BenchmarkCheckTree(b *testing.B) {
	dir := os.Getenv("CCEE_IMAGES")
	if dir == "" {
		b.Skip("needs CCEE_IMAGES")
	}
	s, err := Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	images, err := s.List(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, img := range images {
		b.Run(img.Name, func(b *testing.B) {
			for b.Loop() {
				if err := s.CheckTree(b.Context(), img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
