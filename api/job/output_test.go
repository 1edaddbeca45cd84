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
	} {
		if got := (Output{Data: []byte(tt.data), Truncated: tt.truncated}).Text(); got != tt.want {
			t.Errorf("%q, truncated %v: %q, want %q", tt.data, tt.truncated, got, tt.want)
		}
	}
}

// FuzzOutput: whatever bytes a program writes come through JSON unchanged.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("hello"), false)
	f.Add([]byte{0xff, 0, '\n'}, true)
	f.Add([]byte("\u2028<&>"), false)
	f.Fuzz(func(t *testing.T, data []byte, truncated bool) {
		in := Output{Data: data, Bytes: int64(len(data)), Truncated: truncated}
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out Output
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Data, data) || out.Bytes != in.Bytes || out.Truncated != truncated {
			t.Errorf("%q came back as %+v by %s", data, out, b)
		}
		if !utf8.ValidString(in.Text()) {
			t.Errorf("%q gives the text %q", data, in.Text())
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
