// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tableMutations reads testdata/mutations.tsv of a package: file, from, to and a regular expression of tests, with tabs between. from
// stands exactly once in the file, which is below the package; \n and \t in from and to are a new line and a tab. Lines with # are
// comments.
func tableMutations(root, dir string) ([]mutation, error) {
	name := filepath.Join(dir, "testdata", "mutations.tsv")
	table, err := os.ReadFile(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var all []mutation
	n := 0
	for row := range strings.Lines(string(table)) {
		n++
		if row = strings.TrimRight(row, "\n"); row == "" || strings.HasPrefix(row, "#") {
			continue
		}
		m, err := tableMutation(root, dir, row)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		all = append(all, m)
	}
	return all, nil
}

func tableMutation(root, dir, row string) (mutation, error) {
	cells := strings.Split(row, "\t")
	if len(cells) != 4 {
		return mutation{}, fmt.Errorf("%d cells, want file, from, to and tests", len(cells))
	}
	unescape := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`)
	from, to := unescape.Replace(cells[1]), unescape.Replace(cells[2])
	file := filepath.ToSlash(filepath.Join(dir, cells[0]))
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return mutation{}, err
	}
	if n := strings.Count(string(text), from); n != 1 || from == "" {
		return mutation{}, fmt.Errorf("%q stands %d times in %s, want once", from, n, file)
	}
	start := strings.Index(string(text), from)
	line := 1 + strings.Count(string(text[:start]), "\n")
	return mutation{file: file, line: line, start: start, end: start + len(from), from: from, to: to, tests: cells[3]}, nil
}
