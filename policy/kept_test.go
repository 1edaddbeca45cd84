// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ccee-dev/ccee/seccomp"
)

const getpidRefused = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ERRNO"}]}`

// TestKeep: the copy is of the file that was loaded, and nothing is kept of a file that was changed meanwhile.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	file, kept := filepath.Join(dir, "mine.json"), filepath.Join(dir, "kept.json")
	write(t, file, getpidRefused, 0o644)
	p, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := keep(p, file, kept); err != nil {
		t.Fatal(err)
	}
	if got, err := loadKept(kept); err != nil || got.Digest() != p.Digest() {
		t.Errorf("kept %v, %v", got, err)
	}
	if err := keep(seccomp.Default(), file, filepath.Join(dir, "other")); err == nil {
		t.Error("a changed file was kept")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

// TestLoadKept: a file that another user could have written is not used.
func TestLoadKept(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "mine"), getpidRefused, 0o600)
	write(t, filepath.Join(dir, "anybody's"), getpidRefused, 0o622)
	if err := os.Symlink("mine", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"anybody's", "link", "none"} {
		if _, err := loadKept(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := loadKept(""); err == nil {
		t.Error("no place: no error")
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
