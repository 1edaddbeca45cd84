// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"math"
	"testing"
)

func TestJSNumber(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tt := range []struct {
		in   string
		want float64
	}{
		{"", 0}, {"   ", 0}, {" 7 ", 7}, {"\t7\n", 7}, {"\u00a07\ufeff", 7}, {"0x10", 16}, {"0XfF", 255}, {"0o17", 15}, {"0b101", 5},
		{"1e1", 10}, {"1E+1", 10}, {"1e-1", 0.1}, {"-7", -7}, {"+7", 7}, {".5", 0.5}, {"5.", 5}, {"007", 7}, {"1e999", inf},
		{"Infinity", inf}, {"+Infinity", inf}, {"-Infinity", -inf},
		{"infinity", nan}, {"inf", nan}, {"nan", nan}, {"NaN", nan}, {"seven", nan}, {"7px", nan}, {"1_000", nan}, {"1,5", nan},
		{"--7", nan}, {"7 7", nan}, {"-0x10", nan}, {"0x", nan}, {"0xg", nan}, {"0b2", nan}, {"0x1p4", nan}, {"e1", nan}, {".", nan},
	} {
		got := jsNumber(tt.in)
		if got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("jsNumber(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}
