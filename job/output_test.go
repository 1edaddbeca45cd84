// SPDX-License-Identifier: Apache-2.0

package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"unicode/utf8"
)

func TestOutputText(t *testing.T) {
	for _, tt := range []struct {
		data      string
		truncated bool
		want      string
	}{
		{"plain", false, "plain"},
		{"é", false, "é"},
		{"a\xc3", true, "a"},         // cut inside é
		{"a\xf0\x9f\x98", true, "a"}, // cut inside an emoji
		{"aé", true, "aé"},
		{"a\xc3", false, "a\uFFFD"}, // not cut: the program wrote that
		{"\xff\xfe", true, "\uFFFD"},
		{"", true, ""},
		{"a\x00b", true, "a\x00b"},
		{"\uFEFFa\r\n", false, "\uFEFFa\r\n"},       // a byte order mark and line ends are the program's
		{"\xed\xa0\xbd", false, "\uFFFD"},           // half of a surrogate pair in UTF-8
		{"a\xed\xa0", true, "a\uFFFD"},              // can't become a character
		{"\xf4\x90\x80\x80", false, "\uFFFD"},       // above U+10FFFF
		{"a\x80\x80\x80\x80", true, "a\uFFFD"},      // no character, however it goes on
		{"\xc0\xaf", false, "\uFFFD"},               // overlong
		{"é\xff\xfeé\xff", false, "é\uFFFDé\uFFFD"}, // one U+FFFD for each run
	} {
		if got := (Output{Data: []byte(tt.data), Truncated: tt.truncated}).Text(); got != tt.want {
			t.Errorf("%q, truncated %v: %q, want %q", tt.data, tt.truncated, got, tt.want)
		}
	}
}

// TestOutputTextCuts cuts a text before each of its bytes: the head's text and the tail's have every character that is whole.
func TestOutputTextCuts(t *testing.T) {
	const all = "aé€😀\r\n\x00\uFEFF😀€éa"
	for head := range len(all) + 1 {
		for tail := range len(all) - head {
			o := Output{Data: []byte(all[:head]), Tail: []byte(all[len(all)-tail:]), Bytes: int64(len(all)), Truncated: true}
			var start, end string
			for i, r := range all {
				if next := i + utf8.RuneLen(r); next <= head {
					start += string(r)
				}
				if i >= len(all)-tail {
					end += string(r)
				}
			}
			if o.Text() != start || o.TailText() != end {
				t.Errorf("%d bytes: %q, want %q; the last %d: %q, want %q", head, o.Text(), start, tail, o.TailText(), end)
			}
		}
	}
}

func TestOutputJSON(t *testing.T) {
	for _, tt := range []struct {
		in   Output
		want string
	}{
		{Output{Data: []byte("a"), Bytes: 1}, `{"text":"a","bytes":1}`},
		{Output{Data: []byte("a\xc3"), Bytes: 5, Truncated: true}, `{"text":"a","base64":"YcM=","bytes":5,"truncated":true,"omitted":3}`},
		{Output{Data: []byte("ab"), Tail: []byte("yz"), Bytes: 26, Truncated: true}, `{"text":"ab","bytes":26,"truncated":true,"omitted":22,"tail":{"text":"yz"}}`},
		{Output{Data: []byte("a\xc3"), Tail: []byte("\xa9z"), Bytes: 9, Truncated: true, BytesOnly: true},
			`{"text":"","base64":"YcM=","bytes":9,"truncated":true,"omitted":5,"tail":{"text":"","base64":"qXo="}}`},
		{Output{Data: []byte("é"), Tail: []byte("z"), Bytes: 9, Truncated: true, BytesOnly: true}, `{"text":"é","bytes":9,"truncated":true,"omitted":6,"tail":{"text":"z"}}`},
		{Output{Tail: []byte("\xa9z"), Bytes: 3, Truncated: true}, `{"text":"","bytes":3,"truncated":true,"omitted":1,"tail":{"text":"z","base64":"qXo="}}`},
	} {
		if b, err := json.Marshal(tt.in); err != nil || string(b) != tt.want {
			t.Errorf("%+v: %s, %v, want %s", tt.in, b, err, tt.want)
		}
	}
}

// FuzzOutput: whatever bytes a program writes come through JSON unchanged, and their text is UTF-8.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("hello"), []byte{}, false, false)
	f.Add([]byte{0xff, 0, '\n'}, []byte{0x80}, true, true)
	f.Add([]byte("\u2028<&>"), []byte("\x9f\x98\x80"), true, false)
	f.Fuzz(func(t *testing.T, data, tail []byte, truncated, bytesOnly bool) {
		in := Output{Data: data, Tail: tail, Bytes: int64(len(data)+len(tail)) + 1, Truncated: truncated, BytesOnly: bytesOnly}
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out Output
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Data, data) || !bytes.Equal(out.Tail, tail) || out.Bytes != in.Bytes || out.Truncated != truncated {
			t.Errorf("%q and %q came back as %+v by %s", data, tail, out, b)
		}
		if !utf8.ValidString(in.Text()) || !utf8.ValidString(in.TailText()) {
			t.Errorf("%q and %q give the texts %q and %q", data, tail, in.Text(), in.TailText())
		}
	})
}

func TestErrorCode(t *testing.T) {
	if c := ErrorCode(nil); c != "" {
		t.Errorf("nil: %q", c)
	}
	if c := ErrorCode(fmt.Errorf("run: %w", Errorf(EBusy, "later"))); c != EBusy {
		t.Errorf("wrapped: %q", c)
	}
	if c := ErrorCode(errors.New("x")); c != EInternal {
		t.Errorf("foreign: %q", c)
	}
}
