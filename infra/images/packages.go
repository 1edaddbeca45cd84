// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// deb is a binary package of Debian.
type deb struct{ name, version, arch string }

func (p deb) purl() string { return purlOf("deb", "debian/"+p.name, p.version, "arch="+p.arch) }

// purlOf returns a package URL, https://github.com/package-url/purl-spec.
func purlOf(kind, name, version, qualifiers string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = escape(part)
	}
	purl := "pkg:" + kind + "/" + strings.Join(parts, "/") + "@" + escape(version)
	if qualifiers != "" {
		purl += "?" + qualifiers
	}
	return purl
}

// escape quotes a component of a package URL: everything but letters, digits and -._~ and the colon.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%3A", ":", "%7E", "~").Replace(url.QueryEscape(s))
}

// fromLabel reads a list of archives, name_version_arch each, where a version's colon is %3a as in the names of apt's files.
func fromLabel(label string) ([]deb, error) {
	var debs []deb
	for word := range strings.FieldsSeq(label) {
		p := strings.Split(word, "_")
		if len(p) != 3 {
			return nil, fmt.Errorf("%q is not name_version_arch", word)
		}
		version, err := url.PathUnescape(p[1])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", word, err)
		}
		debs = append(debs, deb{p[0], version, p[2]})
	}
	return debs, nil
}

// installed returns those of the named packages that dpkg's status file (deb822(5)) has as installed, sorted by name. Without that
// file, which is so outside of Debian, there are none.
func installed(status string, names ...string) ([]deb, error) {
	f, err := os.Open(status)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []deb
	paragraph := map[string]string{}
	end := func() {
		if slices.Contains(names, paragraph["Package"]) && strings.HasSuffix(paragraph["Status"], " installed") {
			found = append(found, deb{paragraph["Package"], paragraph["Version"], paragraph["Architecture"]})
		}
		clear(paragraph)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "" {
			end()
		} else if field, value, ok := strings.Cut(lines.Text(), ": "); ok && field[0] != ' ' {
			paragraph[field] = value
		}
	}
	end()
	slices.SortFunc(found, func(a, b deb) int { return strings.Compare(a.name+a.arch, b.name+b.arch) })
	return found, lines.Err()
}

// npm is the package of the npm registry that a recipe takes files from.
type npm struct{ Package, Version string }

// npmPackage reads it from the language's recipe; the zero value means that there is none, or no recipe.
func npmPackage(recipes, language, arch string) (npm, error) {
	data, err := os.ReadFile(filepath.Join(recipes, language, "recipe.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return npm{}, nil
	}
	var recipe struct{ NPM map[string]npm }
	if err == nil {
		err = json.Unmarshal(data, &recipe)
	}
	return recipe.NPM[arch], err
}
