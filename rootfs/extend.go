// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// extend merges the recipe that r extends into r. Lists are the base's followed by r's; of links, npm packages and members of the
// language profile r's replace the base's. The base can't remove what r keeps: its pattern with "!" is dropped. A base can't extend another
// recipe, so that no recipe can extend itself.
func (r *recipe) extend() error {
	base, err := readOwn(filepath.Join(r.dir, r.Extends))
	if err != nil {
		return fmt.Errorf("recipe %s: extends: %w", r.dir, err)
	}
	if base.Extends != "" {
		return fmt.Errorf("recipe %s: extends %s, which extends %q itself: name that", r.dir, base.dir, base.Extends)
	}
	r.base = base.dir
	r.Packages = slices.Concat(base.Packages, r.Packages)
	r.Prepare = slices.Concat(base.Prepare, r.Prepare)
	r.Finish = slices.Concat(base.Finish, r.Finish)
	r.Check = slices.Concat(base.Check, r.Check)
	own := r.Keep
	r.Keep = slices.DeleteFunc(base.Keep, func(p string) bool { return len(p) > 0 && p[0] == '!' && slices.Contains(own, p[1:]) })
	r.Keep = slices.Concat(r.Keep, own)
	if len(r.Version) == 0 {
		r.Version = base.Version
	}
	r.Links = over(base.Links, r.Links)
	r.NPM = over(base.NPM, r.NPM)
	r.language = over(base.language, r.language)
	h := sha256.New()
	fmt.Fprintf(h, "%s extends %s\n", r.digest, base.digest)
	r.digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return nil
}

// over returns the members of below, replaced by those of above.
func over[V any](below, above map[string]V) map[string]V {
	m := map[string]V{}
	maps.Copy(m, below)
	maps.Copy(m, above)
	return m
}

// file returns the path of the recipe's file of that name: in its own directory, else in that of the recipe it extends.
func (r *recipe) file(name string) string {
	own := filepath.Join(r.dir, name)
	if _, err := os.Stat(own); r.base != "" && errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(r.base, name)
	}
	return own
}

// copyFiles copies the recipe's files into a new directory.
func (r *recipe) copyFiles(to string) error {
	if err := os.CopyFS(to, os.DirFS(r.dir)); err != nil || r.base == "" {
		return err
	}
	return filepath.WalkDir(r.base, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(r.base, path)
		if err != nil || r.file(name) != path {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
}

// RecipeLanguage returns the language profile of images built from the recipe in dir, without the version.
func RecipeLanguage(dir string) ([]byte, error) {
	r, err := readRecipe(dir)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r.language)
}
