// SPDX-License-Identifier: Apache-2.0

package job

import (
	"regexp"
	"strconv"
)

// Words are the values of the words in braces in the argv and environment of a Language; see there.
type Words struct {
	Source, Class string // {source}, {class}
	MemoryBytes   int64  // {memory75MiB}, or another part of a hundred: of the step's limit, in MiB, at least 1
	CPUs          int64  // {cpus}
}

var word = regexp.MustCompile(`\{(?:source|class|cpus|memory([1-9][0-9]?)MiB)\}`)

// Expand returns s with its words replaced. Other words in braces stay.
func (w Words) Expand(s string) string {
	return word.ReplaceAllStringFunc(s, func(name string) string {
		switch name {
		case "{source}":
			return w.Source
		case "{class}":
			return w.Class
		case "{cpus}":
			return strconv.FormatInt(w.CPUs, 10)
		}
		percent, _ := strconv.ParseInt(word.FindStringSubmatch(name)[1], 10, 64) // the pattern has seen to it
		return strconv.FormatInt(max(1, w.MemoryBytes*percent/100/MiB), 10)
	})
}

// ShowWords returns s as people read it: the words stand for whatever the limits are.
func ShowWords(s, source, class string) string {
	return word.ReplaceAllStringFunc(s, func(name string) string {
		switch name {
		case "{source}":
			return source
		case "{class}":
			return class
		case "{cpus}":
			return "<cpus>"
		}
		return "<memory>"
	})
}
