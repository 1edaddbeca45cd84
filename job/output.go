// SPDX-License-Identifier: Apache-2.0

package job

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// outputJSON is Output on the wire: readable where it can be, lossless always.
type outputJSON struct {
	Text      string `json:"text"`
	Base64    []byte `json:"base64,omitempty"` // only when Text differs from the bytes
	Bytes     int64  `json:"bytes"`
	Truncated bool   `json:"truncated,omitempty"`

	Omitted int64     `json:"omitted,omitempty"` // bytes between Text and Tail
	Tail    *tailJSON `json:"tail,omitempty"`
}

type tailJSON struct {
	Text   string `json:"text"`
	Base64 []byte `json:"base64,omitempty"`
}

// Text returns the first bytes as UTF-8: a character cut by the limit is left out, other invalid bytes become U+FFFD.
func (o Output) Text() string {
	b := o.Data
	if o.Truncated {
		b = trimEnd(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// TailText returns the last bytes in the same way.
func (o Output) TailText() string { return strings.ToValidUTF8(string(trimStart(o.Tail)), "\uFFFD") }

// trimEnd cuts an incomplete UTF-8 sequence from the end of b.
func trimEnd(b []byte) []byte {
	for i := 1; i <= utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// trimStart cuts the possible rest of a UTF-8 sequence from the start of b: at most three bytes that can't begin one.
func trimStart(b []byte) []byte {
	i := 0
	for i < min(len(b), utf8.UTFMax-1) && !utf8.RuneStart(b[i]) {
		i++
	}
	return b[i:]
}

// MarshalJSON writes {"text","bytes","truncated"}, with "omitted" and "tail" if the middle is left out, and "base64" where the text
// differs from the bytes. With BytesOnly there is no text then.
func (o Output) MarshalJSON() ([]byte, error) {
	w := outputJSON{Bytes: o.Bytes, Truncated: o.Truncated}
	w.Text, w.Base64 = o.coded(o.Data, o.Text())
	if o.Truncated {
		w.Omitted = o.Omitted()
	}
	if len(o.Tail) > 0 {
		w.Tail = &tailJSON{}
		w.Tail.Text, w.Tail.Base64 = o.coded(o.Tail, o.TailText())
	}
	return json.Marshal(w)
}

// coded returns the members for b, whose text is that.
func (o *Output) coded(b []byte, text string) (string, []byte) {
	switch {
	case text == string(b):
		return text, nil
	case o.BytesOnly:
		return "", b
	}
	return text, b
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (o *Output) UnmarshalJSON(b []byte) error {
	var w outputJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*o = Output{Data: w.Base64, Bytes: w.Bytes, Truncated: w.Truncated}
	if w.Base64 == nil {
		o.Data = []byte(w.Text)
	}
	if w.Tail != nil {
		o.Tail = w.Tail.Base64
		if w.Tail.Base64 == nil {
			o.Tail = []byte(w.Tail.Text)
		}
	}
	return nil
}
