// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// writeRecipes writes directories of files below a new one.
func writeRecipes(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	for name, content := range files {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

var extended = map[string]string{
	"base/recipe.json": `{"packages":["p"],"prepare":[["a"]],"keep":["x","!x/tests","!x/doc"],"links":{"l":"1","m":"1"},
		"finish":[["f"]],"check":[["c"]],"version":["v"]}`,
	"base/language.json":       `{"name":"base","aliases":["b"],"run":["/x"],"env":{"A":"1"}}`,
	"base/hello.out":           "base\n",
	"base/hello.py":            "base",
	"base/sub/file":            "base",
	"more/tests/recipe.json":   `{"extends":"../../base","packages":["q"],"prepare":[["b"]],"keep":["x/tests"],"links":{"m":"2"},"check":[["d"]]}`,
	"more/tests/language.json": `{"name":"tests","aliases":[]}`,
	"more/tests/hello.py":      "tests",
}

func TestExtends(t *testing.T) {
	top := writeRecipes(t, extended)
	r, err := readRecipe(filepath.Join(top, "more/tests"))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{r.name, r.Packages, r.Prepare, r.Keep, r.Links, r.Finish, r.Check, r.Version, r.env}
	want := []any{"tests", []string{"p", "q"}, [][]string{{"a"}, {"b"}}, []string{"x", "!x/doc", "x/tests"}, map[string]string{"l": "1", "m": "2"},
		[][]string{{"f"}}, [][]string{{"c"}, {"d"}}, []string{"v"}, map[string]string{"A": "1"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the recipe is\n%v, want\n%v", got, want)
	}
	profile, err := RecipeLanguage(filepath.Join(top, "more/tests"))
	var language map[string]any
	if err == nil {
		err = json.Unmarshal(profile, &language)
	}
	if want := map[string]any{"name": "tests", "aliases": []any{}, "run": []any{"/x"}, "env": map[string]any{"A": "1"}}; err != nil || !reflect.DeepEqual(language, want) {
		t.Errorf("the profile is %v, %v, want %v", language, err, want)
	}
	if r.file("hello.out") != filepath.Join(top, "base/hello.out") || r.file("hello.py") != filepath.Join(top, "more/tests/hello.py") {
		t.Errorf("files: %s, %s, want the base's where there is no other", r.file("hello.out"), r.file("hello.py"))
	}
	to := filepath.Join(t.TempDir(), "workspace")
	if err := r.copyFiles(to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"hello.py": "tests", "hello.out": "base\n", "sub/file": "base"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// A change of either directory makes the image not current.
func TestExtendsDigest(t *testing.T) {
	top := writeRecipes(t, extended)
	seen := map[string]string{}
	for _, change := range []string{"", "base/sub/file", "more/tests/hello.py"} {
		if change != "" {
			if err := os.WriteFile(filepath.Join(top, change), []byte("changed"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r, err := readRecipe(filepath.Join(top, "more/tests"))
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[r.digest]; ok {
			t.Errorf("after a change of %q the digest is that of before, after %q", change, before)
		}
		seen[r.digest] = change
	}
}

func TestExtendsRefuses(t *testing.T) {
	tests := []struct{ name, file, content, want string }{
		{"no such recipe", "more/tests/recipe.json", `{"extends":"../none"}`, "extends"},
		{"a chain", "base/recipe.json", `{"extends":"../more/tests","packages":["p"],"keep":["x"],"version":["v"]}`, "itself"},
		{"itself", "more/tests/recipe.json", `{"extends":"."}`, "itself"},
		{"nothing in either", "base/recipe.json", `{}`, "required"},
	}
	for _, tt := range tests {
		top := writeRecipes(t, extended)
		if err := os.WriteFile(filepath.Join(top, tt.file), []byte(tt.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if tt.name == "nothing in either" {
			if err := os.WriteFile(filepath.Join(top, "more/tests/recipe.json"), []byte(`{"extends":"../../base"}`), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readRecipe(filepath.Join(top, "more/tests")); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}
