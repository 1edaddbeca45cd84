// SPDX-License-Identifier: Apache-2.0

package queue

import "testing"

func TestStreamID(t *testing.T) {
	for _, row := range []struct{ id, previous, next string }{
		{"5-3", "5-2", "5-4"},
		{"5-0", "4-18446744073709551615", "5-1"},
		{"5-18446744073709551615", "5-18446744073709551614", "6-0"},
		{"0-0", "0-0", "0-1"},
		{"", "", ""}, {"5", "5", "5"}, {"x-1", "x-1", "x-1"},
	} {
		if got := previousID(row.id); got != row.previous {
			t.Errorf("before %q: %q, want %q", row.id, got, row.previous)
		}
		if got := nextID(row.id); got != row.next {
			t.Errorf("after %q: %q, want %q", row.id, got, row.next)
		}
	}
}
