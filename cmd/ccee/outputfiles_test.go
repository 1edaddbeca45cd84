// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// TestSaveFiles: files are written where they belong, and nothing else is touched: not what is there, not what links point to.
func TestSaveFiles(t *testing.T) {
	top := t.TempDir()
	dir, outside := filepath.Join(top, "new", "dir"), filepath.Join(top, "outside")
	for _, err := range []error{
		os.MkdirAll(dir, 0o755), os.Mkdir(outside, 0o755), os.WriteFile(filepath.Join(dir, "mine"), []byte("mine"), 0o644),
		os.Symlink(outside, filepath.Join(dir, "link")), os.Symlink(filepath.Join(outside, "new"), filepath.Join(dir, "dangling")),
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var stderr bytes.Buffer
	err := saveFiles(dir, &job.OutputFiles{
		Files: []job.File{
			{Name: "a", Data: []byte("1")}, {Name: "d/e/tool", Data: []byte("#!"), Exec: true},
			{Name: "mine", Data: []byte("theirs")}, {Name: "link/x"}, {Name: "dangling"}, {Name: "file/x"}, {Name: "../up"}, {Name: "z", Data: []byte("2")},
		},
		Skipped: []job.Skipped{{Name: "\x1b[2J", Reason: job.SkipName}}, More: 2,
	}, &stderr)
	if err == nil {
		t.Fatal("no error for files that can't be written")
	}
	for _, want := range []string{"mine: file exists", "link: path escapes", "dangling: file exists", "mkdirat file: file exists", `"../up"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if got, want := stderr.String(), "ccee: not saved: \"\\x1b[2J\": name\nccee: not saved: 2 more files\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	for name, want := range map[string]string{"a": "1", "d/e/tool": "#!", "mine": "mine", "z": "2"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "d/e/tool")); err != nil || st.Mode()&0o100 == 0 {
		t.Errorf("tool is not executable: %v, %v", st, err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("written outside: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(top, "new", "up")); err == nil {
		t.Error("written above the directory")
	}
}

// TestSaveNothing makes no directory.
func TestSaveNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, out := range []*job.OutputFiles{nil, {}} {
		if err := saveFiles(dir, out, nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory was made")
	}
}
