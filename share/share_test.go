// SPDX-License-Identifier: Apache-2.0

package share

import (
	"fmt"
	"slices"
	"testing"
)

// Whoever takes one after the other as long as it fits stops at its part of what the others leave, rounded up.
func TestParts(t *testing.T) {
	for _, tt := range []struct {
		room, percent int64
		want          []int64 // of one greedy tenant after the other
	}{
		{16, 50, []int64{8, 4, 2, 1, 1}},
		{16, 75, []int64{12, 3, 1}},
		{4, 75, []int64{3, 1}},
		{2, 75, []int64{2}},
		{16, 25, []int64{4, 3, 3, 2, 1, 1, 1, 1}},
		{24, 33, []int64{8, 6, 4, 2, 2, 1, 1}},
		{10, 100, []int64{10}},
		{1, 1, []int64{1}},
		{0, 50, nil},
	} {
		table := New(tt.room, tt.percent)
		var got []int64
		for table.All() < tt.room {
			who, n := fmt.Sprint(len(got)), int64(0)
			for ; table.Fits(who, 1); n++ {
				table.Add(who, 1)
			}
			if n == 0 {
				t.Fatalf("%d of %d: nothing fits for a new tenant, %d are free", table.All(), tt.room, tt.room-table.All())
			}
			if !slices.Contains(table.Full(), who) {
				t.Errorf("%s has its part and is not full", who)
			}
			got = append(got, n)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("room %d, %d percent: %v, want %v", tt.room, tt.percent, got, tt.want)
		}
	}
}

// The first that a tenant takes may be all that there is, and nothing may be more.
func TestFirst(t *testing.T) {
	table := New(100, 25)
	if table.Fits("a", 101) || !table.Fits("a", 100) {
		t.Error("the first may have 100 of 100, and not 101")
	}
	table.Add("a", 60)
	for n, want := range map[int64]bool{40: true, 41: false} {
		if table.Fits("b", n) != want {
			t.Errorf("%d more beside 60 of 100 fit: %v, want %v", n, !want, want)
		}
	}
	if table.Fits("a", 1) {
		t.Error("a has more than its part and may have more")
	}
}

// What is given back is free, and nothing is kept of who holds nothing.
func TestGivenBack(t *testing.T) {
	table := New(10, 50)
	for range 5 {
		table.Add("a", 1)
	}
	table.Add("b", 2)
	if got := table.Full(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("%v are full, want a alone: 5 of the 8 that b leaves are more than half", got)
	}
	table.Add("a", -2)
	if got := table.Full(); len(got) != 0 || !table.Fits("a", 1) {
		t.Errorf("%v are full, want nobody", got)
	}
	table.Add("a", -3)
	table.Add("b", -2)
	if table.All() != 0 || table.Holders() != 0 {
		t.Errorf("%d are held by %d at the end", table.All(), table.Holders())
	}
}
