package ccee

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const maxFunctionLines = 50 // a screen: branches hide, lists don't

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
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		switch {
		case d.IsDir() || path == "style_test.go":
			return nil
		case strings.HasSuffix(path, ".go"):
			return checkGoFile(t, path)
		case strings.HasSuffix(path, ".c"), strings.HasSuffix(path, ".h"), strings.HasSuffix(path, ".lua"):
			return checkLength(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkLength(t *testing.T, path string) error {
	b, err := os.ReadFile(path)
	if n := strings.Count(string(b), "\n"); n > maxFileLines(path) {
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
	if !isTest && lines > maxFunctionLines && branches(fn) > 2 { // a list of steps or rows may be long
		t.Errorf("%s: %s has %d lines and %d branches: a function fits a screen (%d lines) unless it is a list of steps",
			at, fn.Name.Name, lines, branches(fn), maxFunctionLines)
	}
}

// branches counts what makes a function more than a list.
func branches(fn *ast.FuncDecl) int {
	n := 0
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
			n++
		case *ast.IfStmt:
			if node.Else != nil {
				n++
			}
		case *ast.FuncLit:
			return true
		}
		return true
	})
	return n
}
