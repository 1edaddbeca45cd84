// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGC(t *testing.T) {
	dir := t.TempDir()
	s := testStore(t, dir)
	shared := archive(t, file("a", "x"))
	keep := put(t, s, "keep", testImage(t, nil, shared, archive(t, file("b", "keep"))))
	gone := put(t, s, "gone", testImage(t, nil, shared, archive(t, file("b", "gone"))))
	if _, err := s.Unpack(t.Context(), keep); err != nil {
		t.Fatal(err)
	}
	_, in, out := startChild(t, dir, "gone") // a daemon that uses the tree
	tree := readLine(t, out)
	if err := s.Remove(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "gone"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v, want ErrNotFound", err)
	}

	c, err := s.GC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Blobs != 3 || c.Trees != 0 || !slices.Equal(c.InUse, []string{gone.Digest}) || c.Bytes == 0 {
		t.Errorf("gc: %+v, want 3 blobs, no tree, %s in use", c, gone.Digest)
	}
	if _, err := os.Stat(filepath.Join(tree, "b")); err != nil {
		t.Errorf("a tree in use was removed: %v", err)
	}

	in.Close()
	waitForLease(t, s, gone.Digest)
	c, err = s.GC(t.Context())
	if err != nil || c.Blobs != 0 || c.Trees != 1 || len(c.InUse) != 0 {
		t.Errorf("gc: %+v, %v, want 1 tree", c, err)
	}
	if _, err := os.Stat(tree); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the tree is still there: %v", err)
	}
	if err := s.Verify(t.Context(), "keep"); err != nil {
		t.Errorf("what is kept: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "work")); err != nil || len(left) > 0 {
		t.Errorf("work/ has %v, %v", left, err)
	}
}

// waitForLease waits until no process has the tree's lease, by taking it.
func waitForLease(t *testing.T, s *Store, digest string) {
	t.Helper()
	l, err := s.flock(t.Context(), "tree-"+treeName(hexOf(digest)), unix.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	l.unlock()
}

// A damaged manifest must not make GC remove what other images need, nor stop it.
func TestGCWithDamagedManifest(t *testing.T) {
	s := testStore(t, "")
	put(t, s, "keep", testImage(t, nil, archive(t, file("b", "keep"))))
	bad := put(t, s, "bad", testImage(t, nil, archive(t, file("b", "bad"))))
	if err := os.Truncate(s.blobPath(hexOf(bad.Digest)), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GC(t.Context()); err != nil {
		t.Errorf("gc: %v", err)
	}
	if err := s.Verify(t.Context(), "keep"); err != nil {
		t.Error(err)
	}
}

func TestGCWithDamagedIndex(t *testing.T) {
	s := testStore(t, "")
	put(t, s, "keep", testImage(t, nil, archive(t, file("b", "keep"))))
	if err := os.WriteFile(filepath.Join(s.dir, "index.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := s.GC(t.Context())
	if err == nil || c.Blobs > 0 {
		t.Errorf("gc: %+v, %v, want an error and nothing removed", c, err)
	}
}
