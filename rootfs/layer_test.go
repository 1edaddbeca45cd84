// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func lines(l ...string) string { return strings.Join(append(l, ""), "\n") }

func TestLayers(t *testing.T) {
	setuid := file("su", "x")
	setuid.Mode = 0o6755
	secret := file("secret", "x")
	secret.Mode, secret.Uid, secret.Gid = 0o400, 1000, 1000
	capable := file("ping", "x")
	capable.PAXRecords["SCHILY.xattr.security.capability"] = "\x01\x00\x00\x02"
	tests := []struct {
		name   string
		layers [][]*tar.Header
		want   string
	}{
		{"modes", [][]*tar.Header{{setuid, secret, dir("d")}},
			lines("drwxr-xr-x d", "-rw-r--r-- secret = x", "-rwxr-xr-x su = x")},
		{"devices and fifos", [][]*tar.Header{{
			{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 8}, {Typeflag: tar.TypeChar, Name: "mem", Devmajor: 1, Devminor: 1},
			{Typeflag: tar.TypeFifo, Name: "pipe"}, file("a", "x")}},
			lines("-rw-r--r-- a = x")},
		{"links", [][]*tar.Header{{file("a", "x"), hardlink("b", "a"), symlink("c", "a"), symlink("d", "/etc/passwd")}},
			lines("-rw-r--r-- a = x", "-rw-r--r-- b = x", "Lrwxrwxrwx c -> a", "Lrwxrwxrwx d -> /etc/passwd")},
		{"parents are made", [][]*tar.Header{{file("a/b/c", "x")}},
			lines("drwxr-xr-x a", "drwxr-xr-x a/b", "-rw-r--r-- a/b/c = x")},
		{"dots and slashes", [][]*tar.Header{{file("./a", "x"), file("//b", "y"), dir("./")}},
			lines("-rw-r--r-- a = x", "-rw-r--r-- b = y")},
		{"upper file wins", [][]*tar.Header{{file("a", "old")}, {file("a", "new")}},
			lines("-rw-r--r-- a = new")},
		{"directory merges", [][]*tar.Header{{file("d/a", "x")}, {dir("d"), file("d/b", "y")}},
			lines("drwxr-xr-x d", "-rw-r--r-- d/a = x", "-rw-r--r-- d/b = y")},
		{"file for directory", [][]*tar.Header{{file("d/a", "x")}, {file("d", "y")}},
			lines("-rw-r--r-- d = y")},
		{"through a link inside", [][]*tar.Header{{dir("usr/lib"), symlink("lib", "usr/lib")}, {file("lib/a", "x")}},
			lines("Lrwxrwxrwx lib -> usr/lib", "drwxr-xr-x usr", "drwxr-xr-x usr/lib", "-rw-r--r-- usr/lib/a = x")},
		{"whiteout", [][]*tar.Header{{file("a", "x"), file("d/b", "x")}, {file(".wh.a", ""), file(".wh.d", ""), file(".wh.none", "")}}, ""},
		{"whiteout of the same layer's", [][]*tar.Header{{file("a", "old")}, {file("a", "new"), file(".wh.a", "")}},
			lines("-rw-r--r-- a = new")},
		{"whiteout and content of the same layer", [][]*tar.Header{{file("d/old", "x")}, {file("d/new", "y"), file(".wh.d", "")}},
			lines("drwxr-xr-x d", "-rw-r--r-- d/new = y")},
		{"opaque", [][]*tar.Header{{file("d/a", "x"), file("d/e/f", "x")}, {file("d/new", "y"), file("d/e/g", "z"), file("d/.wh..wh..opq", "")}},
			lines("drwxr-xr-x d", "drwxr-xr-x d/e", "-rw-r--r-- d/e/g = z", "-rw-r--r-- d/new = y")},
		{"notes of aufs", [][]*tar.Header{{dir(".wh..wh.plnk"), file("a", "x")}},
			lines("-rw-r--r-- a = x")},
		{"mount points that are links", [][]*tar.Header{{symlink("tmp", "/"), symlink("etc", "usr"), file("dev", "x"), file("usr/a", "x")}},
			lines("drwxr-xr-x usr", "-rw-r--r-- usr/a = x")},
		{"file capabilities", [][]*tar.Header{{capable}}, lines("-rw-r--r-- ping = x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var layers [][]byte
			for _, l := range tt.layers {
				layers = append(layers, archive(t, l...))
			}
			root, err := unpackArchive(t, DefaultBounds, layers...)
			if err != nil {
				t.Fatal(err)
			}
			if got := listing(t, root); got != tt.want {
				t.Errorf("the tree is\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// TestHostileLayers tries to write outside the target: a canary beside it must stay as it is.
func TestHostileLayers(t *testing.T) {
	small := Bounds{Bytes: 1000, Entries: 5, Name: 200, Depth: 10}
	tests := []struct {
		name    string
		bounds  Bounds
		entries []*tar.Header
		want    string // in the error
	}{
		{"dot dot", small, []*tar.Header{file("../canary", "x")}, `".."`},
		{"dot dot inside", small, []*tar.Header{file("a/../../canary", "x")}, `".."`},
		{"absolute and dot dot", small, []*tar.Header{file("/../canary", "x")}, `".."`},
		{"symlink out", small, []*tar.Header{symlink("out", ".."), file("out/canary", "x")}, "escapes"},
		{"symlink chain out", small, []*tar.Header{dir("a"), symlink("a/b", "../.."), symlink("c", "a/b"), file("c/canary", "x")}, "escapes"},
		{"absolute symlink", small, []*tar.Header{symlink("out", "CANARYDIR"), file("out/canary", "x")}, "escapes"},
		{"hard link out", small, []*tar.Header{hardlink("a", "../canary")}, `".."`},
		{"hard link through a symlink", small, []*tar.Header{symlink("out", ".."), hardlink("a", "out/canary")}, "escapes"},
		{"hard link to a directory", small, []*tar.Header{dir("d"), hardlink("a", "d")}, "not a file"},
		{"hard link to nothing", small, []*tar.Header{hardlink("a", "b")}, "no such file"},
		{"whiteout out", small, []*tar.Header{symlink("out", ".."), file("out/.wh.canary", "")}, "escapes"},
		{"opaque whiteout out", small, []*tar.Header{symlink("out", ".."), file("out/.wh..wh..opq", "")}, ""},
		{"below a file", small, []*tar.Header{file("a", "x"), file("a/b", "x")}, "not a directory"},
		{"bytes", small, []*tar.Header{file("a", strings.Repeat("x", 999)), file("b", "yy")}, "more than 1000 bytes"},
		{"entries", small, []*tar.Header{dir("1"), dir("2"), dir("3"), dir("4"), dir("5"), dir("6")}, "more than 5 entries"},
		{"long name", small, []*tar.Header{file(strings.Repeat("x/y", 70), "x")}, "longer than 200"},
		{"long target", small, []*tar.Header{symlink("a", strings.Repeat("x", 201))}, "longer than 200"},
		{"deep name", small, []*tar.Header{file("1/2/3/4/5/6/7/8/9/10/11", "x")}, "deeper than 10"},
		{"long element", DefaultBounds, []*tar.Header{file(strings.Repeat("x", 256), "x")}, "too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outside := t.TempDir()
			canary := filepath.Join(outside, "canary")
			if err := os.WriteFile(canary, []byte("alive"), 0o644); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(outside, "root")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, e := range tt.entries {
				e.Linkname = strings.Replace(e.Linkname, "CANARYDIR", outside, 1)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			u := &unpacker{root: root, bounds: tt.bounds, left: tt.bounds}
			err = u.layer(t.Context(), bytes.NewReader(archive(t, tt.entries...)))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("unpack: %v, want an error with %q", err, tt.want)
			}
			data, err := os.ReadFile(canary)
			if err != nil || string(data) != "alive" {
				t.Errorf("the canary has %q, %v", data, err)
			}
			names, err := filepath.Glob(filepath.Join(outside, "*"))
			if err != nil || len(names) != 2 {
				t.Errorf("beside the target there is now %v, %v", names, err)
			}
		})
	}
}

// A bomb that compresses well is stopped by the bound, not by the disk.
func TestCompressedBomb(t *testing.T) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "bomb", Size: 1 << 40, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	z.Close() // the archive ends after the header: the bound must be checked before the content is read
	_, err := unpackArchive(t, DefaultBounds, buf.Bytes())
	if err == nil || !strings.Contains(err.Error(), "more than 8589934592 bytes") {
		t.Errorf("unpack: %v, want the bound named", err)
	}
}

func TestTrailingBytes(t *testing.T) {
	bomb := append(archive(t, file("a", "x")), make([]byte, maxTrailer+1)...)
	_, err := unpackArchive(t, DefaultBounds, bomb)
	if err == nil || !strings.Contains(err.Error(), "follow the end of the archive") {
		t.Errorf("unpack: %v, want the bound named", err)
	}
}

func TestCompression(t *testing.T) {
	content := strings.Repeat("0123456789", 1000)
	plain := archive(t, file("a", content))
	var gz, zs bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(plain)
	g.Close()
	z, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(plain)
	z.Close()
	for name, data := range map[string][]byte{"none": plain, "gzip": gz.Bytes(), "zstd": zs.Bytes()} {
		root, err := unpackArchive(t, DefaultBounds, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := listing(t, root), "-rw-r--r-- a = "+content+"\n"; got != want {
			t.Errorf("%s: the tree is %q, want %q", name, got, want)
		}
		if _, err := unpackArchive(t, DefaultBounds, data[:len(data)/3]); err == nil {
			t.Errorf("%s: the first third of the layer was accepted", name)
		}
	}
}

func TestFurnish(t *testing.T) {
	root, err := unpackArchive(t, DefaultBounds, archive(t,
		file("etc/passwd", "host:x:0:0::/:/bin/sh\n"), symlink("etc/resolv.conf", "/run/resolv.conf"), file("proc/x", "y")))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range etcFiles {
		info, err := os.Lstat(filepath.Join(root, f.name))
		if err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: mode %v, %v, want 0644", f.name, info.Mode(), err)
		}
		if data, err := os.ReadFile(filepath.Join(root, f.name)); err != nil || string(data) != f.content {
			t.Errorf("%s has %q, %v, want %q", f.name, data, err, f.content)
		}
	}
	for _, d := range mountPoints {
		entries, err := os.ReadDir(filepath.Join(root, d))
		if err != nil || len(entries) > 0 {
			t.Errorf("%s has %v, %v, want an empty directory", d, entries, err)
		}
	}
	info, err := os.Stat(filepath.Join(root, "etc/hosts"))
	if errors.Is(err, fs.ErrNotExist) || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("etc/hosts: %v, %v", info.Mode(), err)
	}
}

func TestTimesAreKept(t *testing.T) {
	root, err := unpackArchive(t, DefaultBounds, archive(t, file("a", "x")))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, "a"))
	if err != nil || !info.ModTime().Equal(epoch) {
		t.Errorf("time is %v, %v, want %v", info.ModTime(), err, epoch)
	}
}

// FuzzUnpack: whatever the bytes are, nothing beside the target changes and no mode but ours is made.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, file("a", "x"), symlink("b", ".."), file("b/c", "x")))
	f.Add(archive(f, dir("d"), hardlink("e", "d/f"), file("d/.wh..wh..opq", "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := unpackArchive(t, Bounds{Bytes: 1 << 20, Entries: 100, Name: 300, Depth: 20}, data)
		beside, globErr := os.ReadDir(filepath.Dir(root))
		if globErr != nil || len(beside) != 1 {
			t.Fatalf("beside the target there is %v, %v", beside, globErr)
		}
		if err != nil {
			return
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if m := info.Mode(); err == nil && m&fs.ModeSymlink == 0 && m != fs.ModeDir|0o755 && m != 0o755 && m != 0o644 {
				t.Errorf("%s has mode %v", path, m)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
