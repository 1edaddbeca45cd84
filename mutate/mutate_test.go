// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module makes a module of these files, in a repository.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("git", "-C", dir, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

var program = map[string]string{
	"go.mod": "module example.org/m\n\ngo 1.26\n",
	"p/p.go": `package p

import _ "embed"

//go:embed limit.txt
var limit string

func Held(n int) bool { return n < 3 }

func Loose(n int) bool {
	return n < 3
}

func Unreached(err error) error {
	defer println()
	return err
}
`,
	"p/limit.txt": "at most 3",
	"p/p_test.go": `package p

import "testing"

func TestP(t *testing.T) {
	if !Held(2) || Held(3) || !Loose(1) || Loose(9) {
		t.Error("wrong")
	}
}

func TestLimit(t *testing.T) {
	if limit != "at most 3" {
		t.Error("wrong")
	}
}
`,
	"p/testdata/mutations.tsv": "# file, from, to, tests\nlimit.txt\t3\t4\tTestLimit\nlimit.txt\tmost\tleast\tTestP\n",
}

// What a test looks at is killed, what none does survives, and the checkout stays as it was.
func TestMutate(t *testing.T) {
	dir := module(t, program)
	var report strings.Builder
	if err := run(t.Context(), dir, options{dirs: []string{"p"}}, &report); err != nil {
		t.Fatal(err)
	}
	want := `survived  p/p.go:11: <  =>  <=
survived  p/p.go:11: 3  =>  4
unreached p/p.go:15: defer println()  =>  if false { defer println() }
unreached p/p.go:16: err  =>  nil
survived  p/limit.txt:1: most  =>  least
p                   3 killed,   5 survived,   0 did not compile:  38 %
`
	if report.String() != want {
		t.Errorf("got\n%swant\n%s", report.String(), want)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "p/p.go")); err != nil || string(text) != program["p/p.go"] {
		t.Errorf("the checkout changed: %v\n%s", err, text)
	}
}

// The same seed draws the same mutations, another one others.
func TestDraw(t *testing.T) {
	all := make([]mutation, 100)
	for i := range all {
		all[i].line = i
	}
	first, again, other := fmt.Sprint(draw(all, 5, 1)), fmt.Sprint(draw(all, 5, 1)), fmt.Sprint(draw(all, 5, 2))
	if first != again || first == other {
		t.Errorf("seed 1 draws %s and %s, seed 2 %s", first, again, other)
	}
	if n := len(draw(all, 0, 1)); n != 100 {
		t.Errorf("0 draws %d of 100, want all", n)
	}
}

// Rows of the table that can't be meant as they stand.
func TestTableRefuses(t *testing.T) {
	for row, want := range map[string]string{
		"limit.txt\t3\t4":            "3 cells, want file, from, to and tests",
		"limit.txt\t5\t4\tTestLimit": `"5" stands 0 times in p/limit.txt, want once`,
		"limit.txt\t \t\tTestLimit":  `" " stands 2 times in p/limit.txt, want once`,
		"none.txt\t5\t4\tTestLimit":  "no such file",
	} {
		dir := module(t, map[string]string{"p/limit.txt": program["p/limit.txt"], "p/testdata/mutations.tsv": row + "\n"})
		if _, err := tableMutations(dir, "p"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", row, err, want)
		}
	}
}

// The tables of this repository fit its sources.
func TestTables(t *testing.T) {
	tables, err := filepath.Glob("../*/testdata/mutations.tsv")
	nested, _ := filepath.Glob("../*/*/testdata/mutations.tsv")
	if err != nil || len(tables) < 2 || len(nested) == 0 {
		t.Fatalf("found %v and %v, %v", tables, nested, err)
	}
	for _, table := range append(tables, nested...) {
		dir, err := filepath.Rel("..", filepath.Dir(filepath.Dir(table)))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := tableMutations("..", dir)
		if err != nil {
			t.Error(err)
		}
		names := testNames(t, filepath.Join("..", dir))
		for _, m := range rows {
			for one := range strings.SplitSeq(m.tests, "|") { // a test that was renamed notices nothing
				if re := regexp.MustCompile(one); !slices.ContainsFunc(names, re.MatchString) {
					t.Errorf("%s: %s: %s has no test like %q", table, m.from, dir, one)
				}
			}
		}
	}
}

// testNames returns the names of the tests in a package's directory.
func testNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}
