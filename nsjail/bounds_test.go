// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"strings"
	"testing"
)

// A cgroup that a daemon uses is refused to the next one, which would kill the first one's jobs, and is free when the first one has ended.
func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	first, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := lockDir(dir); err == nil || !strings.Contains(err.Error(), "another daemon is using it") {
		t.Errorf("a second lock: %v, %v, want that another daemon has it", second, err)
	}
	first.Close()
	if again, err := lockDir(dir); err != nil {
		t.Errorf("after the first daemon's end: %v", err)
	} else {
		again.Close()
	}
}

// TCP and UDP sockets have one bound together.
func TestSocketsAreBoundedTogether(t *testing.T) {
	p := process()
	p.Resources.MemoryMax = connectionBytes * 2 * socketsMost
	for _, n := range []sockets{{tcp: socketsMost + 1}, {udp: socketsMost + 1}, {tcp: socketsMost - 4, udp: 5}} {
		if e, over := (&socketWatch{}).excess(p, n); !over || e.Value != socketsMost+1 || e.Limit != socketsMost {
			t.Errorf("%d TCP and %d UDP sockets: %+v, %v, want that they are too many", n.tcp, n.udp, e, over)
		}
	}
}
