package daemon

import "testing"

// TestRanges: two daemons on one host never give two sandboxes the same ids.
func TestRanges(t *testing.T) {
	dir := t.TempDir()
	first, one, err := claimRange(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, two, err := claimRange(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	if first != 0 || second != rangeSlots {
		t.Errorf("ranges begin at %d and %d, want 0 and %d", first, second, rangeSlots)
	}
	last, next := idMap(first + rangeSlots - 1)[1].HostID, idMap(second)[0].HostID
	if last >= next {
		t.Errorf("the last id of one range is %d, the first of the next %d", last, next)
	}
	one.Close() // as the kernel does
	if again, f, err := claimRange(dir); err != nil || again != 0 {
		t.Errorf("after the first ended: %d, %v, want its range", again, err)
	} else {
		f.Close()
	}
}
