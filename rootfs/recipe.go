// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// Labels that this package sets on images that it builds.
const (
	LabelLanguage = "ccee.language" // the language profile: JSON
	LabelRecipe   = "ccee.recipe"   // digest of the recipe; Build does nothing when it is the image's
	LabelPackages = "ccee.packages" // the packages that went in, "name_version_arch" each, separated by blanks
)

// recipeVersion is part of a recipe's digest: raise it when Build makes another image from the same recipe.
const recipeVersion = "1"

// recipe is images/<language>/recipe.json: how to make an image, in the order of the fields. Names and patterns are relative
// to the image's root.
type recipe struct {
	// Extends is the directory of a recipe that this one adds to, relative to its own; see extend.
	Extends string `json:"extends"`
	// Packages of Debian that are unpacked, with their dependencies. Their maintainer scripts don't run.
	Packages []string `json:"packages"`
	// NPM packages to take files from, by architecture (GOARCH).
	NPM map[string]npmPackage `json:"npm"`
	// Prepare are commands that run in the tree of the unpacked packages.
	Prepare [][]string `json:"prepare"`
	// Keep are the names that stay, see keeper. Everything else is removed.
	Keep []string `json:"keep"`
	// Links are symbolic links to make: name to target.
	Links map[string]string `json:"links"`
	// Finish are commands that run in the final tree. All files have their final time by then.
	Finish [][]string `json:"finish"`
	// Check are commands that run last; the stdout of the last one must be the content of hello.out.
	Check [][]string `json:"check"`
	// Version is a command; the first dotted number that it writes is the toolchain's version.
	Version []string `json:"version"`

	name     string                     // of the directory and the language
	dir      string                     // where it was read
	base     string                     // directory of the recipe that it extends, or ""
	digest   string                     // of all files in dir and base
	language map[string]json.RawMessage // language.json
	env      map[string]string          // of language.json, but for those that depend on a job's limits
}

// npmPackage is a package of the npm registry. Version and integrity are fixed: the registry can't replace it.
type npmPackage struct {
	Package   string            `json:"package"`
	Version   string            `json:"version"`
	Integrity string            `json:"integrity"` // "sha512-<base64>"
	Files     map[string]string `json:"files"`     // name in the package to name in the image
}

// readRecipe reads the recipe in dir and the one that it extends.
func readRecipe(dir string) (*recipe, error) {
	r, err := readOwn(dir)
	if err == nil && r.Extends != "" {
		err = r.extend()
	}
	if err != nil {
		return nil, err
	}
	if len(r.Keep) == 0 || len(r.Packages) == 0 || len(r.Version) == 0 {
		return nil, fmt.Errorf("recipe %s: recipe.json: packages, keep and version are required", r.dir)
	}
	if env, ok := r.language["env"]; ok {
		if err := json.Unmarshal(env, &r.env); err != nil {
			return nil, fmt.Errorf("recipe %s: language.json: env: %w", r.dir, err)
		}
	}
	// A daemon replaces these placeholders for each job; without a job there is no such variable.
	maps.DeleteFunc(r.env, func(_, value string) bool { return strings.ContainsAny(value, "{}") })
	return r, nil
}

// readOwn reads the recipe in dir, without the one that it extends.
func readOwn(dir string) (*recipe, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	r := &recipe{name: filepath.Base(dir), dir: dir}
	if !validName.MatchString(r.name) {
		return nil, fmt.Errorf("recipe %s: %q can't be an image's name", dir, r.name)
	}
	data, err := os.ReadFile(filepath.Join(dir, "recipe.json"))
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", dir, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("recipe %s: recipe.json: %w", dir, err)
	}
	if err := r.readLanguage(); err != nil {
		return nil, fmt.Errorf("recipe %s: language.json: %w", dir, err)
	}
	if r.digest, err = digestDir(dir); err != nil {
		return nil, fmt.Errorf("recipe %s: %w", dir, err)
	}
	return r, nil
}

// readLanguage reads the parts of language.json that this package needs: the file goes into a label as it is.
func (r *recipe) readLanguage() error {
	data, err := os.ReadFile(filepath.Join(r.dir, "language.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &r.language); err != nil {
		return err
	}
	var name string
	if err := json.Unmarshal(r.language["name"], &name); err != nil || name != r.name {
		return fmt.Errorf("name is %q, but the directory is %q", name, r.name)
	}
	return nil
}

// label returns the language profile with the version added.
func (r *recipe) label(version string) (string, error) {
	v, err := json.Marshal(version)
	if err != nil {
		return "", err
	}
	r.language["version"] = v
	label, err := json.Marshal(r.language)
	return string(label), err
}

// digestDir returns a digest over the names and contents of all files in dir.
func digestDir(dir string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "ccee recipe %s\n", recipeVersion)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return errors.New(path + " is not a regular file")
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		fmt.Fprintf(h, "%q %d\n", name, len(data))
		h.Write(data)
		return nil
	})
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}
