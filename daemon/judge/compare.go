// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode"

	"github.com/ccee-dev/ccee/job"
)

const (
	maxNumber  = 1000 // bytes: a longer word is not a number
	maxExcerpt = 40   // bytes of an output that are quoted in a message
)

// compare returns the first difference between an output and the expected one, "" if c allows them all. Both may be any bytes; the time
// is linear in their lengths.
func compare(c job.Compare, got, want []byte) string {
	switch c.Mode {
	case job.Exact:
		return compareBytes(got, want)
	case job.Tokens:
		return compareWords(got, want, bytes.Equal)
	case job.Floats:
		return compareWords(got, want, func(g, w []byte) bool { return bytes.Equal(g, w) || near(c, g, w) })
	default:
		return compareLines(got, want)
	}
}

// compareBytes allows no difference.
func compareBytes(got, want []byte) string {
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	if n == len(got) && n == len(want) {
		return ""
	}
	return fmt.Sprintf("byte %d: %s, expected %s", n+1, excerpt(got[n:]), excerpt(want[n:]))
}

// compareLines allows other white space at the end of lines and of the output.
func compareLines(got, want []byte) string {
	got, want = trimSpace(got), trimSpace(want)
	for n := 1; len(got) > 0 || len(want) > 0; n++ {
		var g, w []byte
		g, got, _ = bytes.Cut(got, []byte{'\n'})
		w, want, _ = bytes.Cut(want, []byte{'\n'})
		if g, w = trimSpace(g), trimSpace(w); !bytes.Equal(g, w) {
			return fmt.Sprintf("line %d: %s, expected %s", n, excerpt(g), excerpt(w))
		}
	}
	return ""
}

// compareWords allows other white space between words, and words that are the same.
func compareWords(got, want []byte, same func(got, want []byte) bool) string {
	for n := 1; ; n++ {
		var g, w []byte
		g, got = nextWord(got)
		w, want = nextWord(want)
		switch {
		case g == nil && w == nil:
			return ""
		case g == nil:
			return fmt.Sprintf("word %d: the output ends, expected %s", n, excerpt(w))
		case w == nil:
			return fmt.Sprintf("word %d: %s, expected the end", n, excerpt(g))
		case !same(g, w):
			return fmt.Sprintf("word %d: %s, expected %s", n, excerpt(g), excerpt(w))
		}
	}
}

// nextWord returns the first word of b, nil if there is none, and the bytes after it.
func nextWord(b []byte) (word, rest []byte) {
	b = bytes.TrimLeftFunc(b, unicode.IsSpace)
	if len(b) == 0 {
		return nil, nil
	}
	if i := bytes.IndexFunc(b, unicode.IsSpace); i >= 0 {
		return b[:i], b[i:]
	}
	return b, nil
}

// near reports whether both are numbers within the tolerance of c.
func near(c job.Compare, got, want []byte) bool {
	g, ok := number(got)
	w, also := number(want)
	if !ok || !also {
		return false
	}
	if math.IsNaN(g) || math.IsNaN(w) { // nan in Python and C, NaN in JavaScript and Java
		return math.IsNaN(g) && math.IsNaN(w)
	}
	diff := math.Abs(g - w)
	return g == w || diff <= c.AbsTolerance || diff <= c.RelTolerance*math.Abs(w) && !math.IsInf(w, 0)
}

// number parses b as a number; false if it is not one.
func number(b []byte) (float64, bool) {
	if len(b) > maxNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(b), 64)
	return f, err == nil
}

// trimSpace is b without white space at its end.
func trimSpace(b []byte) []byte { return bytes.TrimRightFunc(b, unicode.IsSpace) }

// excerpt quotes the beginning of b.
func excerpt(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	if len(b) > maxExcerpt {
		return strconv.Quote(string(b[:maxExcerpt])) + "..."
	}
	return strconv.Quote(string(b))
}
