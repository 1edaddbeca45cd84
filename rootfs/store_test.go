// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// layerPath is the file of the image's lowest layer.
func layerPath(t *testing.T, s *Store, image v1.Image) string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	d, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	return s.blobPath(d.Hex)
}

// serveOnce replaces a blob by a fifo that gives it to one reader; for the next one it is missing.
func serveOnce(t *testing.T, path string) (served chan error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	served = make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for a reader
		if err == nil {
			os.Remove(path)
			_, err = f.Write(data)
			f.Close()
		}
		served <- err
	}()
	return served
}

// Twenty goroutines and four processes at once: the layer can be read only once.
func TestUnpackOnce(t *testing.T) {
	dir := t.TempDir()
	s := testStore(t, dir)
	image := testImage(t, nil, archive(t, file("a", strings.Repeat("x", 1<<20))))
	img := put(t, s, "demo", image)
	served := serveOnce(t, layerPath(t, s, image))

	paths := make(chan string, 24)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			path, err := s.Unpack(t.Context(), img)
			if err != nil {
				t.Error(err)
			}
			paths <- path
		})
	}
	for range 4 {
		_, _, out := startChild(t, dir, "demo")
		paths <- readLine(t, out)
	}
	wg.Wait()
	close(paths)
	for p := range paths {
		if want := filepath.Join(s.Dir(), treeName(hexOf(img.Digest)), "root"); p != want {
			t.Errorf("path %q, want %q", p, want)
		}
	}
	if err := patience.Receive(t, served, "the layer is read"); err != nil {
		t.Errorf("serve the layer: %v", err)
	}
	if img, err := s.Get(t.Context(), "demo"); err != nil || !img.Unpacked {
		t.Errorf("Get says unpacked %v, %v", img.Unpacked, err)
	}
}

func TestUnpackKilled(t *testing.T) {
	dir := t.TempDir()
	s := testStore(t, dir)
	image := testImage(t, nil, archive(t, file("a", string(noise(4<<20))), file("b", "x")))
	img := put(t, s, "demo", image)
	blob := layerPath(t, s, image)
	data, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(blob, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, _, _ := startChild(t, dir, "demo")
	f, err := os.OpenFile(blob, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// When this returns the child has read all but what the pipe holds.
	if _, err := f.Write(data[:len(data)/2]); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	f.Close()
	half, err := filepath.Glob(filepath.Join(dir, "work", "*", "tree", "root", "a"))
	if err != nil || len(half) != 1 {
		t.Fatalf("the child was to be killed while it unpacked, but work/ has %v, %v", half, err)
	}
	if trees, err := os.ReadDir(s.Dir()); err != nil || len(trees) > 0 {
		t.Errorf("after the kill there are trees: %v, %v", trees, err)
	}

	os.Remove(blob)
	if err := os.WriteFile(blob, data, 0o644); err != nil {
		t.Fatal(err)
	}
	next := testStore(t, dir)
	if left, err := os.ReadDir(filepath.Join(dir, "work")); err != nil || len(left) > 0 {
		t.Errorf("after Open work/ has %v, %v", left, err)
	}
	if _, err := next.Unpack(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	if err := next.Verify(t.Context(), "demo"); err != nil {
		t.Error(err)
	}
}

// Open must not sweep what a living process writes.
func TestSweepSparesTheLiving(t *testing.T) {
	s := testStore(t, "")
	w, err := s.newWork()
	if err != nil {
		t.Fatal(err)
	}
	testStore(t, s.dir)
	if _, err := os.Stat(w.dir); err != nil {
		t.Errorf("work in progress was swept: %v", err)
	}
	w.remove()
	if _, err := os.Stat(w.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after remove: %v", err)
	}
}

func TestGetAndList(t *testing.T) {
	s := testStore(t, "")
	if _, err := s.Get(t.Context(), "demo"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "ccee image build") {
		t.Errorf("get: %v, want ErrNotFound and what to do", err)
	}
	b := put(t, s, "b", testImage(t, map[string]string{LabelLanguage: `{"name":"b"}`}, archive(t, file("a", "x"))))
	put(t, s, "a", testImage(t, nil, archive(t, file("a", "y"))))
	list, err := s.List(t.Context())
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" {
		t.Fatalf("list: %+v, %v, want a and b", list, err)
	}
	if got := list[1].Labels[LabelLanguage]; got != `{"name":"b"}` {
		t.Errorf("label %q", got)
	}
	if got, err := s.Get(t.Context(), b.Digest); err != nil || got.Name != "b" {
		t.Errorf("get by digest: %+v, %v", got, err)
	}
	// Another process, here another Store, sees a new image of the same name at once.
	other := testStore(t, s.dir)
	changed := put(t, other, "b", testImage(t, nil, archive(t, file("a", "z"))))
	if got, err := s.Get(t.Context(), "b"); err != nil || got.Digest != changed.Digest {
		t.Errorf("get: %s, %v, want %s", got.Digest, err, changed.Digest)
	}
}

func TestUnpackCancelled(t *testing.T) {
	s := testStore(t, "")
	img := put(t, s, "demo", testImage(t, nil, archive(t, file("a", "x"))))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Unpack(ctx, img); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("unpack: %v", err)
	}
	if _, err := s.Unpack(t.Context(), img); err != nil {
		t.Errorf("the next caller: %v", err)
	}
}

// noise returns bytes that don't compress.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func BenchmarkUnpackCached(b *testing.B) {
	s := testStore(b, "")
	img := put(b, s, "demo", testImage(b, nil, archive(b, file("a", "x"))))
	for b.Loop() {
		if _, err := s.Unpack(b.Context(), img); err != nil {
			b.Fatal(err)
		}
	}
}

// Waiting for a lock ends with the context, and leaves the lock to others.
func TestLockCancelled(t *testing.T) {
	s := testStore(t, "")
	held, err := s.flock(t.Context(), "demo", unix.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.flock(ctx, "demo", unix.LOCK_EX); !errors.Is(err, context.Canceled) {
		t.Errorf("lock: %v, want context.Canceled", err)
	}
	held.unlock()
	l, err := s.flock(t.Context(), "demo", unix.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	l.unlock()
}

// TestTreesOfOlderVersions: a tree that a version made which furnished it otherwise is not used, and garbage collection takes it away.
func TestTreesOfOlderVersions(t *testing.T) {
	s := testStore(t, t.TempDir())
	img := put(t, s, "demo", testImage(t, nil, archive(t, file("a", "x"))))
	old := filepath.Join(s.Dir(), hexOf(img.Digest), "root")
	if err := os.MkdirAll(old, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := s.Unpack(t.Context(), img)
	if err != nil || root == old {
		t.Fatalf("unpacked at %q, %v, want another place than %q", root, err, old)
	}
	if c, err := s.GC(t.Context()); err != nil || c.Trees != 1 {
		t.Errorf("gc: %+v, %v, want one tree removed", c, err)
	}
	if _, err := os.Stat(root); err != nil {
		t.Error(err)
	}
}
