// SPDX-License-Identifier: Apache-2.0

package ccee

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// built is a copy of ccee, linked as the machine does it fastest: a static one takes longer.
var built struct {
	once sync.Once
	dir  string // removed by TestMain
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

// build returns the path of that copy.
func build(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "ccee-release-*"); built.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", built.dir, "./cmd/ccee").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "ccee")
}

// files lists the regular files below a directory, with their permissions.
func files(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	modes := map[string]fs.FileMode{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		modes[path] = info.Mode()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return modes
}

// What make install puts where, and that make uninstall takes it away again, but for settings that were changed.
func TestInstall(t *testing.T) {
	binary, dest := build(t), t.TempDir()
	env := []string{"DESTDIR=" + dest, "PREFIX=/usr", "HOME=" + t.TempDir()}
	settings := filepath.Join(dest, "etc/ccee/ccee.env")
	if err := os.MkdirAll(filepath.Dir(settings), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte("MINE=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shell(t, env, "umask 077; script/install "+binary)
	got := files(t, dest)
	for path, mode := range map[string]fs.FileMode{
		"usr/bin/ccee": 0o755, "usr/share/man/man1/ccee.1": 0o644, "usr/share/man/man1/ccee-bench-simulate.1": 0o644,
		"usr/share/bash-completion/completions/ccee": 0o644, "usr/share/zsh/site-functions/_ccee": 0o644, "usr/share/fish/vendor_completions.d/ccee.fish": 0o644,
		"usr/lib/systemd/system/ccee.service": 0o644, "usr/lib/systemd/system/ccee-daemon.service": 0o644, "usr/lib/systemd/system/ccee-worker.service": 0o644,
		"usr/lib/systemd/system/ccee-api.service": 0o644, "usr/lib/sysusers.d/ccee.conf": 0o644, "usr/share/doc/ccee/LICENSE": 0o644,
		"usr/share/ccee/images/python/recipe.json": 0o644, "etc/ccee/ccee.env": 0o600, "etc/ccee/ccee-api.env": 0o600,
	} {
		if got[path] != mode {
			t.Errorf("%s has mode %v, want %v", path, got[path], mode)
		}
	}
	if text, err := os.ReadFile(settings); err != nil || string(text) != "MINE=1\n" {
		t.Errorf("settings that were there became %q, %v", text, err)
	}
	shell(t, env, "script/install --remove "+binary)
	for path := range files(t, dest) {
		if path != "etc/ccee/ccee.env" {
			t.Errorf("make uninstall leaves %s", path)
		}
	}
}

// The units are as systemd wants them.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	binary, dest := build(t), t.TempDir()
	shell(t, []string{"PREFIX=" + dest, "SYSCONFDIR=" + dest}, "script/install "+binary)
	shell(t, nil, "systemd-analyze verify --man=no "+dest+"/lib/systemd/system/*.service 2>&1; exit $?")
}

// The examples of settings name variables that exist, and no key that everybody knows.
func TestSettingsExamples(t *testing.T) {
	var source strings.Builder
	for path := range files(t, "cmd/ccee") {
		text, err := os.ReadFile(filepath.Join("cmd/ccee", path))
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	examples, _ := filepath.Glob("infra/systemd/*.env")
	if len(examples) != 4 {
		t.Errorf("there are %v, want one example for each unit", examples)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^(#?)([A-Z_]+)=`).FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(source.String(), `"`+m[2]+`"`) {
				t.Errorf("%s: nothing reads %s", path, m[2])
			}
			if strings.HasSuffix(m[2], "KEYS_JSON") && m[1] == "" {
				t.Errorf("%s has a key that would serve everybody who reads it here", path)
			}
		}
	}
}

// The archive of one commit is the same bytes whenever it is made, and its checksum holds.
func TestDist(t *testing.T) {
	binary, dist := build(t), t.TempDir()
	var sums []string
	for _, mask := range []string{"022", "077"} {
		shell(t, []string{"VERSION=0.0.0-test", "SOURCE_DATE_EPOCH=1700000000", "DIST=" + dist, "HOME=" + os.Getenv("HOME")}, "umask "+mask+"; script/dist "+binary)
		sums = append(sums, shell(t, nil, "cd "+dist+"; sha256sum --quiet -c SHA256SUMS; cat SHA256SUMS"))
	}
	if sums[0] != sums[1] {
		t.Errorf("two archives of one binary differ: %s and %s", sums[0], sums[1])
	}
}

// VERSION is a version, and what it brings is told.
func TestChangelog(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9a-z.]+)?$`).MatchString(Version()) {
		t.Errorf("VERSION is %q, want one of semver.org", Version())
	}
	text, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## \[?([^\] \n]+)`).FindAllStringSubmatch(string(text), -1)
	if len(sections) < 2 || sections[0][1] != "Unreleased" || sections[1][1] != Version() {
		t.Errorf("CHANGELOG.md has the sections %v, want Unreleased first and then that of %s", sections, Version())
	}
}
