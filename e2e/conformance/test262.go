// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

//go:embed programs/test262.js
var test262Runner string

// test262Test is what the runner is told of a test; its text is among the files.
type test262Test struct {
	ID       string        `json:"id"`
	Shells   []string      `json:"shells"` // the harness: the shell.js of each directory above, outermost first
	Module   bool          `json:"module,omitempty"`
	Async    bool          `json:"async,omitempty"`
	Negative *test262Error `json:"negative,omitempty"`

	fixtures []string // what it may import
}

// test262Error is the error that a test must end in.
type test262Error struct {
	Phase string `json:"phase"`
	Type  string `json:"type"`
}

// test262Corpus is the suite as SpiderMonkey's source carries it: each file as the ECMAScript committee wrote it, but that the harness
// files lie as shell.js where they are needed, that a test for strict mode is a file of its own, and that a last line says reportCompare.
type test262Corpus struct {
	dir   string
	tests []test262Test
}

var (
	frontmatter = regexp.MustCompile(`(?s)/\*---(.*?)---\*/`)
	flagsLine   = regexp.MustCompile(`(?m)^flags:\s*\[(.*)\]`)
	negative    = regexp.MustCompile(`(?m)^negative:\s*\n\s+phase:\s*(\w+)\s*\n\s+type:\s*(\w+)`)
)

// readTest262 lists the tests below dir.
func readTest262(dir string) (*test262Corpus, error) {
	c := &test262Corpus{dir: dir}
	fixtures := map[string][]string{} // by directory
	err := filepath.WalkDir(dir, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, full)
		switch base := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && name == "prs": // copies of tests that were not accepted yet
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(base, ".js") || base == "shell.js" || base == "browser.js":
			return nil
		case strings.Contains(base, "_FIXTURE"):
			fixtures[path.Dir(name)] = append(fixtures[path.Dir(name)], name)
			return nil
		}
		text, err := os.ReadFile(full)
		if err == nil {
			c.tests = append(c.tests, c.parse(name, string(text)))
		}
		return err
	})
	for i := range c.tests {
		if t := &c.tests[i]; t.Module || strings.Contains(t.ID, "dynamic-import") {
			t.fixtures = fixtures[path.Dir(t.ID)]
		}
	}
	slices.SortFunc(c.tests, func(a, b test262Test) int { return strings.Compare(a.ID, b.ID) })
	return c, err
}

// parse reads a test's frontmatter; see INTERPRETING.md of test262.
func (c *test262Corpus) parse(name, text string) test262Test {
	t := test262Test{ID: name}
	head := ""
	if m := frontmatter.FindStringSubmatch(text); m != nil {
		head = m[1]
	}
	if m := flagsLine.FindStringSubmatch(head); m != nil {
		flags := strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' })
		t.Module, t.Async = slices.Contains(flags, "module"), slices.Contains(flags, "async")
		if slices.Contains(flags, "raw") {
			t.Shells = []string{}
		}
	}
	if m := negative.FindStringSubmatch(head); m != nil {
		t.Negative = &test262Error{m[1], m[2]}
	}
	if t.Shells == nil {
		t.Shells = c.shells(name)
	}
	return t
}

// shells lists the harness files of a test.
func (c *test262Corpus) shells(name string) []string {
	list := []string{}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if info, err := os.Stat(filepath.Join(c.dir, dir, "shell.js")); err == nil && info.Size() > 0 {
			list = append(list, path.Join(dir, "shell.js"))
		}
		if dir == "." {
			slices.Reverse(list)
			return list
		}
	}
}

// Bounds of a batch: what a job's files may have, less what JSON adds, and what it can run in a minute on a slow machine.
const (
	batchBytes = 600_000
	batchTests = 300
)

// batches puts tests that follow each other together.
func (c *test262Corpus) batches(tests []test262Test) ([]unit, error) {
	var units []unit
	var batch []test262Test
	files := map[string]string{}
	size := 0
	flush := func() {
		if len(batch) > 0 {
			units = append(units, test262Unit(batch, files))
			batch, files, size = nil, map[string]string{}, 0
		}
	}
	for _, t := range tests {
		names := slices.Concat([]string{t.ID}, t.Shells, t.fixtures)
		if size > batchBytes || len(batch) == batchTests {
			flush()
		}
		for _, name := range names {
			if _, ok := files[name]; ok {
				continue
			}
			text, err := os.ReadFile(filepath.Join(c.dir, name))
			if err != nil {
				return nil, err
			}
			if name == "shell.js" { // the last part of the outermost is for SpiderMonkey's shell; our runner has its own
				text, _, _ = bytes.Cut(text, []byte("// file: test262-host.js"))
			}
			files[name] = string(text)
			size += len(text)
		}
		batch = append(batch, t)
	}
	flush()
	return units, nil
}

// test262Unit runs a batch.
func test262Unit(batch []test262Test, files map[string]string) unit {
	name := batch[0].ID
	return unit{name, func(ctx context.Context, at place, only []string) (results, error) {
		return untilDone(ctx, at, name, func(r results) (program, error) {
			var left []test262Test
			for _, t := range batch {
				if _, done := r[t.ID]; !done && (only == nil || slices.Contains(only, t.ID)) {
					left = append(left, t)
				}
			}
			plan, err := json.Marshal(map[string]any{"tests": left, "files": files})
			return program{language: "javascript", source: test262Runner, report: "report", files: []job.File{{Name: "plan.json", Data: plan}},
				limits: generous, wall: time.Minute}, err
		})
	}}
}

// test262Suite is the ECMAScript committee's suite, from the source of Debian's SpiderMonkey.
func test262Suite(ctx context.Context, o *options) (*suite, func(), error) {
	dir, version, err := debianSource(ctx, o.cache, "mozjs128", "*/js/src/tests/test262/*")
	if err != nil {
		return nil, nil, err
	}
	c, err := readTest262(filepath.Join(dir, "js/src/tests/test262"))
	if err != nil {
		return nil, nil, err
	}
	tests := c.tests
	if o.share > 1 {
		tests = nil
		for i := 0; i < len(c.tests); i += o.share {
			tests = append(tests, c.tests[i])
		}
	}
	units, err := c.batches(tests)
	if err != nil {
		return nil, nil, err
	}
	m, err := start(ctx, o.binary, o.images)
	if err != nil {
		return nil, nil, err
	}
	out, err := m.beside(ctx, "javascript")
	if err != nil {
		m.stop()
		return nil, nil, err
	}
	return &suite{name: "test262", title: "test262, the ECMAScript committee's", source: fmt.Sprintf("Node.js %s, tests of Debian's source package mozjs128 %s", out.language.Version, version),
		inside: m.jail, outside: out, units: units}, m.stop, nil
}
