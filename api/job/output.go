package job

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// outputJSON is Output on the wire: readable where it can be, lossless always.
type outputJSON struct {
	Text      string `json:"text"`
	Base64    []byte `json:"base64,omitempty"` // only when Text can't say it
	Bytes     int64  `json:"bytes"`
	Truncated bool   `json:"truncated,omitempty"`
}

// Text returns the captured bytes as UTF-8: a character cut by the limit is left out, other invalid bytes become U+FFFD.
func (o Output) Text() string {
	b := o.Data
	if o.Truncated {
		b = trimPartial(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// trimPartial cuts an incomplete UTF-8 sequence from the end of b.
func trimPartial(b []byte) []byte {
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

// MarshalJSON writes {"text","bytes","truncated"}, and "base64" when the bytes are not what text says.
func (o Output) MarshalJSON() ([]byte, error) {
	w := outputJSON{Text: o.Text(), Bytes: o.Bytes, Truncated: o.Truncated}
	if w.Text != string(o.Data) {
		w.Base64 = o.Data
	}
	return json.Marshal(w)
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
	return nil
}
