// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStackTree: trees come together, what differs is an error, and no link of one tree leads files of another out of the root.
func TestStackTree(t *testing.T) {
	write := func(dir string, files map[string]string) string {
		root := filepath.Join(t.TempDir(), dir)
		for name, content := range files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			err := error(nil)
			if target, link := strings.CutPrefix(content, "-> "); link {
				err = os.Symlink(target, path)
			} else {
				err = os.WriteFile(path, []byte(content), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return root
	}
	outside := t.TempDir()
	a := write("a", map[string]string{
		"usr/bin/a": "a", "usr/lib/libc": "c", "lib": "-> usr/lib", "etc/ld.so.cache": "1",
		"usr/out": "-> " + outside, "usr/file": "-> " + outside + "/f",
	})
	tests := []struct {
		name  string
		files map[string]string
		want  string // in the error
	}{
		{"fits", map[string]string{"usr/bin/b": "b", "usr/lib/libc": "c", "lib": "-> usr/lib", "etc/ld.so.cache": "2"}, ""},
		{"another file", map[string]string{"usr/lib/libc": "d"}, "differs"},
		{"another link", map[string]string{"lib": "-> usr/lib64"}, "otherwise"},
		{"a directory for a file", map[string]string{"usr/bin/a/x": "x"}, "directory"},
		{"through a link to a file", map[string]string{"usr/file": "x"}, "differs"},
		{"through a link", map[string]string{"usr/out/x": "x"}, "directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := stackTree(t.Context(), a, dir); err != nil {
				t.Fatal(err)
			}
			err := stackTree(t.Context(), write("b", tt.files), dir)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if left, _ := os.ReadDir(outside); len(left) > 0 {
				t.Errorf("there is %v outside of the root", left)
			}
		})
	}
}
