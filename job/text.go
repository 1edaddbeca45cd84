// SPDX-License-Identifier: Apache-2.0

package job

import (
	"bytes"
	"strconv"
	"unicode/utf16"
)

// LoneSurrogate reports whether valid JSON has an escape such as \ud800 that is half of a character beyond U+FFFF without the other
// half (RFC 8259, section 8.2). UTF-8 has no form for it: a decoder would put U+FFFD in its place, and another text would be run than was
// sent.
func LoneSurrogate(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		r, ok := escaped(raw[i:])
		switch {
		case !ok: // another escape, of two bytes
			raw = raw[i+2:]
			continue
		case !utf16.IsSurrogate(r):
			raw = raw[i+escapeLen:]
			continue
		}
		low, _ := escaped(raw[i+escapeLen:])
		if utf16.DecodeRune(r, low) == '\ufffd' {
			return true
		}
		raw = raw[i+2*escapeLen:]
	}
}

// escapeLen is how many bytes \uXXXX has.
const escapeLen = 6

// escaped returns the number that raw begins with as \uXXXX.
func escaped(raw []byte) (r rune, ok bool) {
	if len(raw) < escapeLen || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:escapeLen]), 16, 16)
	return rune(n), err == nil
}
