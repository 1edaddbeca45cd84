// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recipeDir writes a recipe named demo and returns its directory.
func recipeDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const demoRecipe = `{"packages":["dash"],"keep":["usr/bin/dash"],"version":["/usr/bin/dash"]}`

func TestReadRecipeRefuses(t *testing.T) {
	good := `{"name":"demo"}`
	tests := []struct{ name, recipe, language, want string }{
		{"unknown member", `{"packges":[]}`, good, "packges"},
		{"not JSON", `{`, good, "recipe.json"},
		{"nothing in it", `{}`, good, "required"},
		{"another name", demoRecipe, `{"name":"other"}`, `name is "other"`},
		{"bad profile", demoRecipe, `[]`, "language.json"},
		{"env is a list", demoRecipe, `{"name":"demo","env":[]}`, "language.json"},
	}
	for _, tt := range tests {
		dir := recipeDir(t, map[string]string{"recipe.json": tt.recipe, "language.json": tt.language})
		if _, err := readRecipe(dir); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want an error with %q and the directory", tt.name, err, tt.want)
		}
	}
	if _, err := readRecipe(t.TempDir() + "/none"); err == nil || !strings.Contains(err.Error(), "recipe.json") {
		t.Errorf("no directory: %v", err)
	}
}

// The recipes of the project can be read; building them is make images.
func TestProjectRecipes(t *testing.T) {
	recipes, err := filepath.Glob("../images/*/recipe.json")
	if err != nil || len(recipes) < 3 {
		t.Fatalf("recipes: %v, %v", recipes, err)
	}
	selftests, err := filepath.Glob("../images/selftest/*/recipe.json")
	if err != nil || len(selftests) < 1 {
		t.Fatalf("recipes for the languages' own tests: %v, %v", selftests, err)
	}
	recipes = append(recipes, selftests...)
	for _, path := range recipes {
		r, err := readRecipe(filepath.Dir(path))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := os.Stat(r.file("hello.out")); err != nil || len(r.Check) == 0 {
			t.Errorf("%s has no check: %v", r.name, err)
		}
	}
}

// Build does nothing when the image has the recipe's digest: it would need the network otherwise.
func TestBuildIsCurrent(t *testing.T) {
	dir := recipeDir(t, map[string]string{"recipe.json": demoRecipe, "language.json": `{"name":"demo"}`})
	r, err := readRecipe(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := testStore(t, "")
	want := put(t, s, "demo", testImage(t, map[string]string{LabelRecipe: r.digest}, archive(t, file("a", "x"))))
	img, built, err := s.Build(t.Context(), dir, BuildOptions{})
	if err != nil || built || img.Digest != want.Digest {
		t.Errorf("build: %s, built %v, %v, want %s as it is", img.Digest, built, err, want.Digest)
	}
	for _, change := range []string{"hello.out", "language.json"} {
		old := r.digest
		if err := os.WriteFile(filepath.Join(dir, change), []byte(`{"name":"demo","x":1}`), 0o644); err != nil {
			t.Fatal(err)
		}
		if r, err = readRecipe(dir); err != nil || r.digest == old {
			t.Errorf("%s changed, the recipe's digest didn't: %v", change, err)
		}
	}
}

// "Build the image again" must help an image whose recipe is the same: here it gets as far as the first tool that is needed.
func TestBuildRepairsDamage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: Build refuses to start without")
	}
	dir := recipeDir(t, map[string]string{"recipe.json": demoRecipe, "language.json": `{"name":"demo"}`})
	r, err := readRecipe(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := testStore(t, "")
	image := testImage(t, map[string]string{LabelRecipe: r.digest}, archive(t, file("a", "x")))
	put(t, s, "demo", image)
	if err := os.Truncate(layerPath(t, s, image), 5); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	_, built, err := s.Build(t.Context(), dir, BuildOptions{})
	if built || !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "install it") {
		t.Errorf("build: %v, %v, want it to look for mmdebstrap and say what to install", built, err)
	}
}

func TestCheckIntegrity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	const abc = "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="
	if err := checkIntegrity(path, abc); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "sha1-qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", strings.Replace(abc, "3a", "3b", 1)} {
		if err := checkIntegrity(path, bad); err == nil {
			t.Errorf("integrity %q was accepted", bad)
		}
	}
}

func TestExtractFiles(t *testing.T) {
	pkg := t.TempDir()
	archiveFile := filepath.Join(pkg, "p.tgz")
	if err := os.WriteFile(archiveFile, archive(t, file("package/bin/node", "x"), file("package/other", "y")), 0o644); err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := extractFiles(gzipped(t, archiveFile), map[string]string{"bin/node": "usr/bin/node"}, tree); err != nil {
		t.Fatal(err)
	}
	if got, want := listing(t, tree), lines("drwxr-xr-x usr", "drwxr-xr-x usr/bin", "-rwxr-xr-x usr/bin/node = x"); got != want {
		t.Errorf("the tree is\n%swant\n%s", got, want)
	}
	if err := extractFiles(archiveFile+".gz", map[string]string{"bin/none": "x"}, t.TempDir()); err == nil {
		t.Error("a file that the package lacks was not missed")
	}
}

// Prune keeps what the patterns say, the libraries that it needs, and the links on the way. It uses this machine's own shell.
func TestPrune(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh to take libraries from")
	}
	tree := t.TempDir()
	copyClosure(t, sh, tree)
	for _, f := range []string{"usr/share/doc/x", "usr/lib/unused.so", "opt/tool/data", "opt/tool/tests/t"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, f), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := &build{recipe: &recipe{Keep: []string{"usr/bin/sh", "opt/*", "!opt/tool/tests"}, Links: map[string]string{"usr/bin/demo": "sh"}},
		BuildOptions: BuildOptions{Epoch: epoch}, tree: tree}
	if err := b.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"usr/bin/sh": true, "usr/bin/demo": true, "opt/tool/data": true, "opt/tool/tests": false,
		"usr/share": false, "usr/lib/unused.so": false} {
		if _, err := os.Lstat(filepath.Join(tree, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it kept: %v", name, err, want)
		}
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chroot", tree, "/usr/bin/demo", "-c", "echo alive").CombinedOutput(); err != nil || string(out) != "alive\n" {
			t.Errorf("the kept shell: %q, %v", out, err)
		}
	}
	b.Keep = []string{"usr/bin/none"}
	if err := b.prune(t.Context()); err == nil || !strings.Contains(err.Error(), "matches nothing") {
		t.Errorf("a pattern without a match: %v", err)
	}
}

// copyClosure copies a program of this machine and what ldd lists into a tree with a merged /usr.
func copyClosure(t *testing.T, program, tree string) {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Skipf("ldd %s: %v", program, err)
	}
	if err := os.MkdirAll(filepath.Join(tree, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(tree, "usr", l), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("usr/"+l, filepath.Join(tree, l)); err != nil {
			t.Fatal(err)
		}
	}
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			copyFile(t, word, filepath.Join(tree, word))
		}
	}
	copyFile(t, program, filepath.Join(tree, "usr/bin/sh"))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// The same files give the same bytes, whatever their times, owners and modes on this machine.
func TestPackIsDeterministic(t *testing.T) {
	var archives [][]byte
	for i := range 2 {
		tree := t.TempDir()
		for _, name := range []string{"b", "a", "d/c"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(tree, name), []byte(name), 0o644&^os.FileMode(i*0o40)); err != nil {
				t.Fatal(err)
			}
			then := time.Unix(int64(1000*i), 0)
			if err := os.Chtimes(filepath.Join(tree, name), then, then); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Link(filepath.Join(tree, "a"), filepath.Join(tree, "hard")); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "out")
		if err := packTree(tree, to, epoch); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, data)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two packings of the same files differ")
	}
	root, err := unpackArchive(t, DefaultBounds, archives[0])
	if err != nil {
		t.Fatal(err)
	}
	want := lines("-rw-r--r-- a = a", "-rw-r--r-- b = b", "drwxr-xr-x d", "-rw-r--r-- d/c = d/c", "-rw-r--r-- hard = a")
	if got := listing(t, root); got != want {
		t.Errorf("the tree is\n%swant\n%s", got, want)
	}
}
