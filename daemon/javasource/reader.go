// SPDX-License-Identifier: Apache-2.0

package javasource

import (
	"unicode/utf16"
	"unicode/utf8"
)

// end is the character after the last one.
const end rune = -1

// reader reads the characters of a source and translates Unicode escapes (JLS 3.3). A copy of it can look ahead.
type reader struct {
	text string
	next int  // offset of the character after ch
	ch   rune // the current character

	// A backslash that follows another one, as in "\\u0041", begins no Unicode escape, unless the other one was itself an escape.
	backslash, escape bool
}

func newReader(text string) reader {
	r := reader{text: text}
	r.advance()
	return r
}

// advance moves to the next character. Two escapes that are a surrogate pair are one.
func (r *reader) advance() {
	r.unit()
	if r.escape && utf16.IsSurrogate(r.ch) {
		low := *r
		low.unit()
		if c := utf16.DecodeRune(r.ch, low.ch); low.escape && c != utf8.RuneError {
			low.ch = c
			*r = low
		}
	}
}

// unit moves to the next character or, of an escape, UTF-16 code unit.
func (r *reader) unit() {
	if r.next >= len(r.text) {
		r.ch, r.backslash, r.escape = end, false, false
		return
	}
	c := r.text[r.next]
	switch {
	case c == '\\' && (!r.backslash || r.escape):
		if unit, n := unicodeEscape(r.text[r.next:]); n > 0 {
			r.next += n
			r.ch, r.escape = unit, true
			r.backslash = unit == '\\' && !r.backslash
			return
		}
		r.next++
		r.ch, r.escape, r.backslash = '\\', false, !r.backslash
	case c < utf8.RuneSelf:
		r.next++
		r.ch, r.escape, r.backslash = rune(c), false, false
	default:
		ch, n := utf8.DecodeRuneInString(r.text[r.next:])
		r.next += n
		r.ch, r.escape, r.backslash = ch, false, false
	}
}

// unicodeEscape returns the code unit of the escape that text begins with, such as \u0041 or \uuu0041, and the escape's length: 0 if
// it begins with none.
func unicodeEscape(text string) (unit rune, length int) {
	i := 1
	for i < len(text) && text[i] == 'u' {
		i++
	}
	if i == 1 || len(text) < i+4 {
		return 0, 0
	}
	for _, c := range []byte(text[i : i+4]) {
		digit, ok := hexDigit(c)
		if !ok {
			return 0, 0
		}
		unit = unit<<4 | digit
	}
	return unit, i + 4
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
