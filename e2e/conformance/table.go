// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// row is what is told of a suite.
type row struct {
	name, title, source     string
	skipped                 string // why it did not run
	tests                   int    // of either place
	passInside, passOutside int
	differ                  int
	reasons                 map[string]int
	unsteady                int
	took                    time.Duration
}

func newRow(c *comparison, took time.Duration) row {
	all := maps.Clone(c.inside)
	maps.Copy(all, c.outside)
	return row{name: c.suite.name, title: c.suite.title, source: c.suite.source, tests: len(all), passInside: c.inside.count(pass), passOutside: c.outside.count(pass),
		differ: len(c.differences), reasons: c.reasons(), unsteady: len(c.unsteady), took: took}
}

func (r row) summary() string {
	return fmt.Sprintf("%s: %d tests, %d pass outside, %d inside, %d differ, %d differed at first only, %.0f s",
		r.name, r.tests, r.passOutside, r.passInside, r.differ, r.unsteady, r.took.Seconds())
}

// The lines between which a file's table is rewritten.
const (
	tableBegin = "<!-- make conformance wrote what follows -->"
	tableEnd   = "<!-- make conformance wrote what precedes -->"
)

// writeTable rewrites the table in a file.
func writeTable(name string, rows []row) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(tableBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q", name, tableBegin, tableEnd)
	}
	text := string(before) + tableBegin + "\n\n" + tableText(rows) + "\n" + tableEnd + string(after)
	return os.WriteFile(name, []byte(text), 0o644)
}

func tableText(rows []row) string {
	var b strings.Builder
	b.WriteString("| suite | of | tests | pass outside | pass inside | differ |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		if r.skipped != "" {
			fmt.Fprintf(&b, "| %s | not run: %s | | | | |\n", r.name, r.skipped)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d |\n", r.title, r.source, r.tests, r.passOutside, r.passInside, r.differ)
	}
	b.WriteString("\n| suite | tests that differ | why |\n|---|---|---|\n")
	for _, r := range rows {
		for _, reason := range slices.SortedFunc(maps.Keys(r.reasons), func(x, y string) int { return r.reasons[y] - r.reasons[x] + strings.Compare(x, y) }) {
			fmt.Fprintf(&b, "| %s | %d | %s |\n", r.name, r.reasons[reason], reason)
		}
	}
	return b.String()
}
