// SPDX-License-Identifier: Apache-2.0

package ccee

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const maxFunctionLines = 50 // a screen: branches hide, lists don't

// Lines are at most maxColumns wide, a tab being four: reviews show two versions side by side. Older lines may be wider, so many in all Go
// files, and in the prose of all documents; the numbers only fall.
const (
	maxColumns = 140
	wideGo     = 1439
	wideProse  = 0
)

// longer are functions that are longer than a screen with more than two branches, and may have that many lines until they are mended.
var longer = map[string]int{
	"cmd/ccee.runAPI": 75, "cmd/ccee.benchSimulate": 53, "cmd/ccee.runFile": 54, "cmd/ccee.submit": 52, "nsjail.Run": 63, "nsjail.newSpawner": 55,
}

// maxFileLines: one subject a file, since names are how readers find things.
func maxFileLines(path string) int {
	switch {
	case strings.HasSuffix(path, "_test.go"):
		return 500 // tables are long, and easily read
	case strings.HasSuffix(path, ".c"):
		return 800 // sandbox-init is one program that is audited as a whole, from top to bottom
	default:
		return 300
	}
}

// where a ban holds.
type where int

const (
	everywhere where = iota
	inTests
	inProduct
)

// bans are patterns that no line of Go may have, each with its reason. A line that must have one says why in a comment that
// ends in "allowed: " and the ban's name.
var bans = []struct {
	name    string
	pattern *regexp.Regexp
	where   where
	reason  string
}{
	{"failed-to", regexp.MustCompile(`"[^"]*(failed to|unable to|could not) [a-z]+[^"]*%w`), everywhere, "an error says what was tried on what: \"mount /proc: %w\""},
	{"sleep", regexp.MustCompile(`\btime\.Sleep\(`), inTests, "a sleep is too long on most machines and too short on one: wait on the event"},
	{"wait4-any", regexp.MustCompile(`\bWait4\(-1`), everywhere, "it steals the children of os/exec (pebble#101, containerd#246)"},
	{"todo", regexp.MustCompile(`\b(TODO|FIXME|XXX)\b($|[^(])`), everywhere, "what is not done is an issue with a number: TODO(#41)"},
	{"default-client", regexp.MustCompile(`\bhttp\.(Get|Post|Head)\(`), inProduct, "without a context it waits for ever"},
	{"pid-kill", regexp.MustCompile(`\b(unix|syscall)\.Kill\([^-]`), inProduct, "the pid may be someone else's by now: cgroup.kill or a pidfd"},
}

func TestStyle(t *testing.T) {
	walkSources(t, func(path string) error {
		switch {
		case path == "style_test.go":
			return nil
		case strings.HasSuffix(path, ".go"):
			return checkGoFile(t, path)
		case strings.HasSuffix(path, ".c"), strings.HasSuffix(path, ".h"), strings.HasSuffix(path, ".lua"):
			return checkLength(t, path)
		}
		return nil
	})
}

func TestWidths(t *testing.T) {
	wide := map[string]int{}
	most := map[string]int{".go": wideGo, ".md": wideProse}
	walkSources(t, func(path string) error {
		kind := filepath.Ext(path)
		if _, held := most[kind]; !held {
			return nil
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			table := kind == ".md" && (strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ")) // rows and quoted text can't be wrapped
			if utf8.RuneCountInString(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")) > maxColumns && !table {
				wide[kind]++
			}
		}
		return err
	})
	for kind, n := range wide {
		if n > most[kind] {
			t.Errorf("%d lines in *%s files are wider than %d columns, %d at most may be", n, kind, maxColumns, most[kind])
		}
	}
	t.Logf("wider than %d columns: %v", maxColumns, wide)
}

// licence is what each source file says on top, so that it stays with a file that is copied alone.
const licence = "SPDX-License-Identifier: Apache-2.0"

// script/spdx puts the line there; from its first run on nothing may be without.
func TestLicence(t *testing.T) {
	begins := func(path string) bool {
		text, err := os.ReadFile(path)
		head := strings.SplitAfterN(string(text), "\n", 4)
		return err == nil && strings.Contains(strings.Join(head[:min(3, len(head))], ""), licence)
	}
	if !begins("version.go") {
		t.Log("script/spdx has not been run")
		return
	}
	walkSources(t, func(path string) error {
		source := slices.Contains([]string{".go", ".c", ".h", ".lua", ".py", ".js", ".mjs", ".sh"}, filepath.Ext(path))
		if source && !strings.HasPrefix(path, "images/") && !begins(path) {
			t.Errorf("%s does not say its licence: run script/spdx", path)
		}
		return nil
	})
}

// walkSources calls do for every file that is ours, but for test data.
func walkSources(t *testing.T, do func(path string) error) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return do(filepath.ToSlash(path))
		case path != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin", "dist"}, d.Name())):
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkLength(t *testing.T, path string) error {
	b, err := os.ReadFile(path)
	if n := strings.Count(strings.TrimPrefix(string(b), "// "+licence+"\n\n"), "\n"); n > maxFileLines(path) {
		t.Errorf("%s has %d lines, more than %d: it has more than one subject", path, n, maxFileLines(path))
	}
	return err
}

func checkGoFile(t *testing.T, path string) error {
	if err := checkLength(t, path); err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	isTest := strings.HasSuffix(path, "_test.go")
	fakeTime := strings.Contains(string(b), `"testing/synctest"`) // there a sleep takes no time
	for i, line := range strings.Split(string(b), "\n") {
		for _, ban := range bans {
			if (ban.where == everywhere || (ban.where == inTests) == isTest) && ban.pattern.MatchString(line) && !strings.HasSuffix(line, "allowed: "+ban.name) &&
				!(ban.name == "sleep" && fakeTime) {
				t.Errorf("%s:%d: %s: %s", path, i+1, ban.name, ban.reason)
			}
		}
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, b, 0)
	if err != nil {
		return err
	}
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			checkFunction(t, fset, fn, isTest)
		}
	}
	return nil
}

func checkFunction(t *testing.T, fset *token.FileSet, fn *ast.FuncDecl, isTest bool) {
	at := fset.Position(fn.Pos())
	if fn.Recv == nil && fn.Name.Name == "init" {
		t.Errorf("%s: init runs in whatever imports this: make what it makes where it is used", at)
	}
	lines := fset.Position(fn.End()).Line - at.Line
	allowed := max(maxFunctionLines, longer[filepath.ToSlash(filepath.Dir(at.Filename))+"."+fn.Name.Name])
	if !isTest && lines > allowed && branches(fn) > 2 { // a list of steps or rows may be long
		t.Errorf("%s: %s has %d lines and %d branches: a function fits a screen (%d lines) unless it is a list of steps",
			at, fn.Name.Name, lines, branches(fn), maxFunctionLines)
	}
}

// branches counts what makes a function more than a list. An if that only leaves (if err != nil { return err }) is a step of one.
func branches(fn *ast.FuncDecl) int {
	n := 0
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
			n++
		case *ast.IfStmt:
			if node.Else != nil || !leaves(node.Body) {
				n++
			}
		}
		return true
	})
	return n
}

// leaves reports whether a block only returns.
func leaves(block *ast.BlockStmt) bool {
	if len(block.List) != 1 {
		return false
	}
	_, ok := block.List[0].(*ast.ReturnStmt)
	return ok
}
