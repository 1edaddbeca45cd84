// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

func TestCompare(t *testing.T) {
	floats := job.Compare{Mode: job.Floats, AbsTolerance: 0.01, RelTolerance: 0.001}
	for _, tt := range []struct {
		how       job.Compare
		got, want string
		message   string
	}{
		{job.Compare{Mode: job.Exact}, "a\n", "a\n", ""},
		{job.Compare{Mode: job.Exact}, "a\r\n", "a\n", `byte 2: "\r\n", expected "\n"`},
		{job.Compare{Mode: job.Exact}, "", "a", `byte 1: nothing, expected "a"`},
		{job.Compare{}, "a \r\nb\t\n\n \n", "a\nb", ""},
		{job.Compare{}, "", "\n\n", ""},
		{job.Compare{}, " a", "a", `line 1: " a", expected "a"`},
		{job.Compare{}, "a\n\nb", "a\nb", `line 2: nothing, expected "b"`},
		{job.Compare{}, "a\nb", "a", `line 2: "b", expected nothing`},
		{job.Compare{Mode: job.Tokens}, " a\n\nb ", "a b", ""},
		{job.Compare{Mode: job.Tokens}, "a", "a b", `word 2: the output ends, expected "b"`},
		{job.Compare{Mode: job.Tokens}, "a b", "a", `word 2: "b", expected the end`},
		{job.Compare{Mode: job.Tokens}, "1.0", "1", `word 1: "1.0", expected "1"`},
		{floats, "1.0 x", "1 x", ""},
		{floats, "1.009", "1", ""},
		{floats, "1.02", "1", `word 1: "1.02", expected "1"`},
		{floats, "1000999", "1000000", ""},
		{floats, "1002000", "1000000", `word 1: "1002000", expected "1000000"`},
		{floats, "nan", "nan", ""},
		{floats, "NaN", "nan", ""},
		{floats, "1", "nan", `word 1: "1", expected "nan"`},
		{floats, "Infinity", "inf", ""},
		{floats, "-inf", "inf", `word 1: "-inf", expected "inf"`},
		{floats, "nan", "1", `word 1: "nan", expected "1"`},
		{floats, "1e308", "inf", `word 1: "1e308", expected "inf"`},
		{floats, "-inf", "inf", `word 1: "-inf", expected "inf"`},
		{floats, "Infinity", "inf", ""},
		{floats, "0." + strings.Repeat("3", 2000), "0.333", `word 1: "0.33333333333333333333333333333333333333"..., expected "0.333"`},
	} {
		if got := compare(tt.how, []byte(tt.got), []byte(tt.want)); got != tt.message {
			t.Errorf("%s: %q against %q: %s, want %s", tt.how.Mode, tt.got, tt.want, got, tt.message)
		}
	}
}

// Whatever a program writes: it is found equal to itself, in whichever order; and the coarser the comparison, the more is equal.
func FuzzCompare(f *testing.F) {
	f.Add([]byte("1.5 a\n\n"), []byte("1.50 a"))
	f.Add([]byte("\xff\x00\u2028"), []byte("\u0085"))
	f.Fuzz(func(t *testing.T, got, want []byte) {
		finer := false
		for _, mode := range []job.Comparison{job.Exact, job.Trimmed, job.Tokens, job.Floats} {
			how := job.Compare{Mode: mode}
			if m := compare(how, got, got); m != "" {
				t.Errorf("%s: %q is not itself: %s", mode, got, m)
			}
			right := compare(how, got, want) == ""
			if mode == job.Exact && right != bytes.Equal(got, want) {
				t.Errorf("%q exactly %q: %v", got, want, right)
			}
			if finer && !right {
				t.Errorf("%s: %q is not %q, by a finer comparison it is", mode, got, want)
			}
			if (compare(how, want, got) == "") != right {
				t.Errorf("%s: %q and %q are equal one way alone", mode, got, want)
			}
			finer = right
		}
	})
}
