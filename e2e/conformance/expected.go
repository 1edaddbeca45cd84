// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// expectedLine is one line of a list of expected differences: names of tests (with * for anything) and the reason that all of them
// share.
type expectedLine struct {
	pattern string
	match   *regexp.Regexp
	reason  string
	line    int
}

// readExpected reads the list of a suite: "PATTERN -- REASON" lines, and comments with #. A suite without a list expects nothing.
func readExpected(dir, suite string) ([]expectedLine, error) {
	name := filepath.Join(dir, suite+".txt")
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := parseExpected(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return list, nil
}

func parseExpected(r io.Reader) ([]expectedLine, error) {
	var list []expectedLine
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		pattern, reason, ok := strings.Cut(text, " -- ")
		if !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("%d: %q: want PATTERN -- REASON", n, text)
		}
		pattern = strings.TrimSpace(pattern)
		re, err := regexp.Compile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		list = append(list, expectedLine{pattern, re, strings.TrimSpace(reason), n})
	}
	return list, lines.Err()
}

// lineOf is the index of the first line that expects a test to differ, or -1.
func lineOf(list []expectedLine, test string) int {
	return slices.IndexFunc(list, func(l expectedLine) bool { return l.match.MatchString(test) })
}

// judge holds what was found against what was expected, and returns what is wrong: a difference that no line expects, and a line that
// expects none of those that there are. Of a part of a suite only those lines are held against it whose tests all ran: those without *.
func (c *comparison) judge(whole bool) (wrong []string) {
	list := c.suite.expected
	used := make([]int, len(list))
	for _, d := range c.differences {
		found := false
		for i, l := range list {
			if l.match.MatchString(d.test) {
				used[i]++
				found = true
			}
		}
		if !found {
			wrong = append(wrong, "not expected: "+d.String())
		}
	}
	for i, l := range list {
		_, ran := c.outside[l.pattern]
		if used[i] == 0 && (whole || ran) && !c.isUnsteady(l) {
			wrong = append(wrong, fmt.Sprintf("line %d of the list expects %q to differ, which does not: remove it", l.line, l.pattern))
		}
	}
	if c.suite.mustPass {
		for _, t := range c.outside.tests() {
			if o := c.outside[t]; o.State != pass && c.inside.state(t) == o.State {
				wrong = append(wrong, fmt.Sprintf("%s: %s in both places: %s", t, o.State, o.Detail))
			}
		}
	}
	return wrong
}

// isUnsteady reports whether a test that a line speaks of differed at first in this run: the line is not stale then.
func (c *comparison) isUnsteady(l expectedLine) bool {
	return slices.ContainsFunc(c.unsteady, l.match.MatchString)
}

// reasons counts the differences by their reason.
func (c *comparison) reasons() map[string]int {
	n := map[string]int{}
	for _, d := range c.differences {
		reason := "not expected"
		if i := lineOf(c.suite.expected, d.test); i >= 0 {
			reason = c.suite.expected[i].reason
		}
		n[reason]++
	}
	return n
}

// writeLists writes what was run where and how it ended, and what differs, a line a test.
func (c *comparison) writeLists(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lists := map[string]results{"inside": c.inside, "outside": c.outside}
	for where, r := range lists {
		var b strings.Builder
		for _, t := range r.tests() {
			fmt.Fprintf(&b, "%s %s", r[t].State, t)
			if r[t].State != pass {
				fmt.Fprintf(&b, " -- %s", r[t].Detail)
			}
			b.WriteByte('\n')
		}
		if err := os.WriteFile(filepath.Join(dir, c.suite.name+"."+where), []byte(b.String()), fs.FileMode(0o644)); err != nil {
			return err
		}
	}
	var b strings.Builder
	for _, d := range c.differences {
		fmt.Fprintln(&b, d)
	}
	for _, t := range c.unsteady {
		fmt.Fprintln(&b, "differed at first:", t)
	}
	return os.WriteFile(filepath.Join(dir, c.suite.name+".differences"), []byte(b.String()), 0o644)
}
