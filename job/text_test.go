// SPDX-License-Identifier: Apache-2.0

package job

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// RFC 8259, section 7: a character beyond U+FFFF is escaped as two halves, the high one first.
func TestLoneSurrogate(t *testing.T) {
	for raw, want := range map[string]bool{
		`"a"`: false, `"\n\"\\"`: false, `"\u00e9"`: false, `"\ud83d\ude00"`: false, `"\uD83D\uDE00\uD83D\uDE00"`: false,
		`"\\ud800"`: false, `"\\\\ud800"`: false, `"\ufffd"`: false,
		`"\ud800"`: true, `"\udc00"`: true, `"\ude00\ud83d"`: true, `"\ud83dx\ude00"`: true, `"\ud83d\ud83d\ude00"`: true,
		`"\\\ud800"`: true, `"\ud83d\u0041"`: true, `"\ud83d\n"`: true, `{"a":["\uDFFF"]}`: true,
	} {
		if !json.Valid([]byte(raw)) {
			t.Fatalf("%s is no JSON", raw)
		}
		if got := LoneSurrogate([]byte(raw)); got != want {
			t.Errorf("LoneSurrogate(%s) = %v, want %v", raw, got, want)
		}
	}
}

func FuzzLoneSurrogate(f *testing.F) {
	f.Add(`\ud83d\ude00`)
	f.Fuzz(func(t *testing.T, s string) {
		raw := []byte(`"` + s + `"`)
		var text string
		if json.Unmarshal(raw, &text) != nil || !utf8.ValidString(s) {
			return
		}
		// What is decoded without a loss is the same when it is encoded and decoded once more, and has no U+FFFD that was not there.
		if !LoneSurrogate(raw) && countReplaced(text) != countReplaced(s) && !hasEscapedReplacement(s) {
			t.Errorf("%q became %q", s, text)
		}
	})
}

func countReplaced(s string) (n int) {
	for _, r := range s {
		if r == utf8.RuneError {
			n++
		}
	}
	return n
}

func hasEscapedReplacement(s string) bool {
	for i := range len(s) {
		if r, ok := escaped([]byte(s[i:])); ok && r == utf8.RuneError {
			return true
		}
	}
	return false
}
