// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// TestMain is also the process outside of a jail, which this binary runs itself as.
func TestMain(m *testing.M) {
	if os.Args[0] == outsideName {
		os.Exit(outsideMain())
	}
	os.Exit(m.Run())
}

// slice is the part of each suite that every run of the tests takes: of CPython's modules those that found a fault of ours once, and
// for the rest some of each part of the library.
var slice = []struct {
	suite string
	run   string // units
	share int
	make  func(context.Context, *options) (*suite, func(), error)
}{
	{"cpython", `^test_(gc|os|io|sys|warnings|threading|atexit|signal|` +
		`bisect|textwrap|struct|math|float|int|list|dict|set|heapq|re|string|json|csv|hashlib|zlib|zoneinfo|calendar|time|` +
		`tempfile|shutil|pathlib|select|generators|exceptions|locale|resource|sqlite3|fcntl|pty|queue|random)$`, 1, cpythonSuite},
	{"test262", ".", 150, test262Suite},
	{"generated", "^(python|javascript|java .*[^d]$)", 1, generatedSuite}, // a cold start of the JVM is in answers
	{"answers", ".", 1, answersSuite},
}

// The owners' tests end inside a jail as they do outside, but for what expected/ lists; make conformance runs all of them.
func TestSlice(t *testing.T) {
	requireHost(t)
	until := time.Time{}
	if deadline, ok := t.Deadline(); ok { // on a slow machine some units are left out rather than all cut off
		until = time.Now().Add(time.Until(deadline) * 6 / 10)
	}
	cache := os.Getenv("CCEE_CACHE")
	if cache == "" {
		cache = "../../.cache"
	}
	for _, s := range slice {
		t.Run(s.suite, func(t *testing.T) {
			o := &options{binary: "../../bin/ccee", images: images("CCEE_IMAGES", "/var/lib/ccee/images"), selftest: images("CCEE_SELFTEST_IMAGES", "/var/lib/ccee/selftest"),
				cache: filepath.Join(cache, "conformance"), expected: "expected", seed: 1, only: regexp.MustCompile(s.run), share: s.share, log: testLog{t}}
			made, stop, err := s.make(t.Context(), o)
			if errors.Is(err, errSkipped) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			made.units, made.until = o.selected(made.units), until
			if made.expected, err = readExpected(o.expected, made.name); err != nil {
				t.Fatal(err)
			}
			c, err := made.compare(t.Context(), 2, o.log)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range c.judge(false) {
				t.Error(w)
			}
			t.Log(newRow(c, 0).summary())
			if len(c.left) > 0 {
				t.Logf("not run, for the time was up: %q", c.left)
			}
			if len(c.inside) == 0 {
				t.Error("no test was run")
			}
		})
	}
}

// testLog writes progress as lines of the test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Logf("%s", b[:len(b)-1])
	return len(b), nil
}

func images(env, dir string) string {
	if s := os.Getenv(env); s != "" {
		return s
	}
	return dir
}

// requireHost skips a test on a machine that can't run jails. SANDBOX_MUST_WORK=1 makes that a failure.
func requireHost(t *testing.T) {
	t.Helper()
	missing := ""
	if os.Geteuid() != 0 {
		missing = "jails need root"
	}
	for _, dir := range []string{images("CCEE_IMAGES", "/var/lib/ccee/images"), images("CCEE_SELFTEST_IMAGES", "/var/lib/ccee/selftest")} {
		if _, err := os.Stat(filepath.Join(dir, "index.json")); err != nil && missing == "" {
			missing = fmt.Sprintf("there are no images in %s: run make images selftest", dir)
		}
	}
	if missing == "" {
		build := exec.Command("make", "--no-print-directory", "-C", filepath.Join("..", ".."), "build")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("make build: %v\n%s", err, out)
		}
		return
	}
	if os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}
