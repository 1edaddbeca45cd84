// SPDX-License-Identifier: Apache-2.0

package slots

import "testing"

// TestRanges: two daemons on one host never give two sandboxes the same ids.
func TestRanges(t *testing.T) {
	dir := t.TempDir()
	first, one, err := ClaimRange(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, two, err := ClaimRange(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	if first != 0 || second != MaxSlots {
		t.Errorf("ranges begin at %d and %d, want 0 and %d", first, second, MaxSlots)
	}
	_, last := HostIDs(first + MaxSlots - 1)
	next, _ := HostIDs(second)
	if last >= next {
		t.Errorf("the last id of one range is %d, the first of the next %d", last, next)
	}
	one.Close() // as the kernel does
	if again, f, err := ClaimRange(dir); err != nil || again != 0 {
		t.Errorf("after the first ended: %d, %v, want its range", again, err)
	} else {
		f.Close()
	}
}

func TestHostIDs(t *testing.T) {
	seen := map[int64]int{}
	for slot := range 200 {
		root, program := HostIDs(slot)
		for _, id := range []int64{root, program} {
			if other, ok := seen[id]; ok {
				t.Errorf("slots %d and %d share the host id %d", slot, other, id)
			}
			seen[id] = slot
		}
	}
}
