// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestUnitParse(t *testing.T) {
	for _, tt := range []struct {
		unit unit
		in   string
		want int64 // 0: an error
	}{
		{count, "128", 128}, {count, "0", 0}, {count, "-1", 0}, {count, "1K", 0}, {count, "", 0}, {count, "many", 0},
		{size, "65536", 65536}, {size, "64K", 65536}, {size, "64k", 65536}, {size, "16M", 16 << 20}, {size, "16MiB", 16 << 20},
		{size, "1GB", 1 << 30}, {size, "512B", 512}, {size, "M", 0}, {size, "1KM", 0}, {size, "1.5M", 0}, {size, "", 0},
		{size, "9223372036854775807", 9223372036854775807}, {size, "9223372036854775807K", 0}, {size, "9007199254740991G", 0},
		{duration, "500ms", 500}, {duration, "10s", 10_000}, {duration, "1m30s", 90_000}, {duration, "10", 0},
		{duration, "0s", 0}, {duration, "-1s", 0}, {duration, "10us", 0},
	} {
		got, err := tt.unit.parse(tt.in)
		if got != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("parse(%v, %q) = %d, %v, want %d", tt.unit, tt.in, got, err, tt.want)
		}
	}
}

func TestUnitFormat(t *testing.T) {
	for _, tt := range []struct {
		unit unit
		in   int64
		want string
	}{
		{count, 128, "128"}, {size, 65536, "64K"}, {size, 16 << 20, "16M"}, {size, 1 << 30, "1G"}, {size, 1000, "1000"},
		{size, 1536 << 20, "1536M"}, {duration, 500, "500ms"}, {duration, 10_000, "10s"},
	} {
		got := tt.unit.format(tt.in)
		if got != tt.want {
			t.Errorf("format(%v, %d) = %q, want %q", tt.unit, tt.in, got, tt.want)
		}
		if back, err := tt.unit.parse(got); err != nil || back != tt.in {
			t.Errorf("parse(format(%d)) = %d, %v", tt.in, back, err)
		}
	}
}
