// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"math"
	"strconv"
	"strings"
)

// jsSpace is what JavaScript trims from a string before it reads a number: WhiteSpace and LineTerminator of ECMA-262.
const jsSpace = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" +
	"\u2028\u2029\u202f\u205f\u3000\ufeff"

// jsNumber reads s as JavaScript's Number(s) does (ECMA-262, StringToNumber): "" is 0, "0x10" is 16, "1e1" is 10, and
// anything that is no number is NaN. Clients of the original rely on it in queries.
func jsNumber(s string) float64 {
	s = strings.Trim(s, jsSpace)
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		switch s[1] {
		case 'x', 'X':
			return digits(s[2:], 16)
		case 'o', 'O':
			return digits(s[2:], 8)
		case 'b', 'B':
			return digits(s[2:], 2)
		}
	}
	switch s {
	case "Infinity", "+Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	// ParseFloat takes more than JavaScript does: hexadecimal floats, underscores, "inf" and "nan".
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// digits reads an unsigned integer without prefix; NaN if s is none.
func digits(s string, base float64) float64 {
	v := 0.0
	for _, c := range strings.ToLower(s) {
		d := float64(strings.IndexRune("0123456789abcdef", c))
		if d < 0 || d >= base {
			return math.NaN()
		}
		v = v*base + d
	}
	return v
}
