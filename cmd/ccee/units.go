// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is how a limit is written on the command line.
type unit int

const (
	count    unit = iota // 128
	size                 // 65536, 64K, 16M, 1G: powers of 1024
	duration             // 500ms, 10s
)

// format is the inverse of parse.
func (u unit) format(n int64) string {
	switch u {
	case duration:
		return (time.Duration(n) * time.Millisecond).String()
	case size:
		for _, s := range []struct {
			letter string
			bytes  int64
		}{{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}} {
			if n >= s.bytes && n%s.bytes == 0 {
				return strconv.FormatInt(n/s.bytes, 10) + s.letter
			}
		}
	}
	return strconv.FormatInt(n, 10)
}

// parse reads a limit: milliseconds, bytes or a count, always above 0.
func (u unit) parse(s string) (int64, error) {
	if u == duration {
		d, err := time.ParseDuration(s)
		if err != nil || d < time.Millisecond {
			return 0, fmt.Errorf("must be a duration such as 500ms or 10s, not %q", s)
		}
		return d.Milliseconds(), nil
	}
	digits, shift := s, 0
	if u == size {
		digits = strings.TrimSuffix(strings.TrimSuffix(s, "B"), "i")
		if end := len(digits) - 1; end > 0 {
			if power := strings.IndexByte("kmg", digits[end]|0x20); power >= 0 {
				digits, shift = digits[:end], 10*(power+1)
			}
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("must be %s, not %q", map[unit]string{
			count: "a whole number above 0", size: "a number of bytes such as 65536, 64K, 16M or 1G"}[u], s)
	}
	return n << shift, nil
}
