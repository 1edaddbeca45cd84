// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"regexp"
	"strings"
)

// A script runs from its first line each time, so a library of which it uses little would cost more than the script does. link puts
// before a script only those definitions that it uses, directly or through others, in the order of the library. A definition is a
// paragraph. doc.go, Scripts, says why this is not a Redis function library.

var (
	defines = regexp.MustCompile(`(?m)^local (?:function )?([A-Za-z_, ]+?)\s*(?:=|\()`)
	word    = regexp.MustCompile(`[A-Za-z_]+`)
	remarks = regexp.MustCompile(`(?m)^\s*--.*\n`)
)

// definition is one piece of the library.
type definition struct {
	text string
	uses map[string]bool // every word in it
}

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range word.FindAllString(s, -1) {
		set[w] = true
	}
	return set
}

// definitions splits a library, without its remarks.
func definitions(library string) []definition {
	var ds []definition
	for p := range strings.SplitSeq(remarks.ReplaceAllString(library, ""), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			ds = append(ds, definition{p + "\n", words(p)})
		}
	}
	return ds
}

// names are what a definition defines.
func (d definition) names() []string {
	var names []string
	for _, m := range defines.FindAllStringSubmatch(d.text, -1) {
		names = append(names, word.FindAllString(m[1], -1)...)
	}
	return names
}

// link returns the script behind what it uses of the library.
func link(library []definition, script string) string {
	used := words(remarks.ReplaceAllString(script, ""))
	take := make([]bool, len(library))
	for i := len(library) - 1; i >= 0; i-- { // what is defined first can't use what comes after it
		for _, name := range library[i].names() {
			if used[name] {
				take[i] = true
			}
		}
		if take[i] {
			for w := range library[i].uses {
				used[w] = true
			}
		}
	}
	var b strings.Builder
	for i, d := range library {
		if take[i] {
			b.WriteString(d.text)
		}
	}
	return b.String() + script
}
