// SPDX-License-Identifier: Apache-2.0

package job

import "strings"

// Bounds of Spec.OutputFiles.
const (
	MaxGlobs     = 16    // globs
	MaxGlobBytes = 1_024 // bytes of all together
)

// Globs match names of files in a job's working directory, element by element: * stands for any characters of one element, an
// element ** for any number of elements, everything else for itself. There are no other special characters and no exception for dots.
type Globs [][]string

// ParseGlobs reports the first glob that can't be one as an *Error with code EInvalid: one that no ValidName could match, or that
// has a special character of other kinds of globs, which would be taken literally and match nothing.
func ParseGlobs(list []string) (Globs, error) {
	if len(list) > MaxGlobs {
		return nil, Invalid("outputFiles", "has %d globs, at most %d are allowed", len(list), MaxGlobs)
	}
	var globs Globs
	total := 0
	for _, s := range list {
		if why := globFault(s); why != "" {
			return nil, Invalid("outputFiles", "has the glob %q: %s", clip(s, 80), why)
		}
		elements := strings.Split(s, "/")
		if elements[len(elements)-1] == "**" { // at least one, or a/** would match a itself
			elements = append(elements, "*")
		}
		globs = append(globs, elements)
		total += len(s)
	}
	if total > MaxGlobBytes {
		return nil, Invalid("outputFiles", "have %d bytes together, at most %d are allowed", total, MaxGlobBytes)
	}
	return globs, nil
}

func globFault(s string) string {
	if why := nameFault(s); why != "" {
		return why
	}
	if strings.ContainsAny(s, "?[]{}") {
		return "of ? [ ] { } there is no use: only * and ** are special"
	}
	for element := range strings.SplitSeq(s, "/") {
		if element != "**" && strings.Contains(element, "**") {
			return "** must be an element of its own"
		}
	}
	return ""
}

// Match reports whether name is matched, and whether something below it may be, were it a directory. The time is bounded by the
// length of name times the number of globs, whatever both are: it is spent outside of a job's limits.
func (g Globs) Match(name string) (file, below bool) {
	for _, glob := range g {
		states := closure(glob, 1)
		for element := range strings.SplitSeq(name, "/") {
			states = closure(glob, advance(glob, states, element))
		}
		end := states >> len(glob) & 1
		file = file || end == 1
		below = below || states != end<<len(glob)
	}
	return file, below
}

// advance takes the set of places in glob where a name may be so far, a bit each, over one element.
func advance(glob []string, states uint, element string) uint {
	var next uint
	for i, pattern := range glob {
		switch {
		case states>>i&1 == 0:
		case pattern == "**":
			next |= 1 << i
		case matchElement(pattern, element):
			next |= 2 << i
		}
	}
	return next
}

// closure adds the places behind each **, which may stand for no element.
func closure(glob []string, states uint) uint {
	for i, pattern := range glob {
		if pattern == "**" {
			states |= states >> i & 1 << (i + 1)
		}
	}
	return states
}

func matchElement(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return s == head
	}
	s, ok := strings.CutPrefix(s, head)
	for ok {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		_, s, ok = strings.Cut(s, part) // the first place is as good as any: it leaves the most
		rest = next
	}
	return false
}
