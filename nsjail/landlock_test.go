// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLandlockVersions: a kernel is asked for all that it knows and for nothing that it doesn't; the numbers are those of the table of
// ABI versions in landlock(7) and of linux/landlock.h.
func TestLandlockVersions(t *testing.T) {
	for abi, want := range [][4]uint64{
		1: {0x1fff, 0, 0, 0},
		2: {0x3fff, 0, 0, 0}, // LANDLOCK_ACCESS_FS_REFER
		3: {0x7fff, 0, 0, 0}, // LANDLOCK_ACCESS_FS_TRUNCATE
		4: {0x7fff, 3, 0, 0}, // LANDLOCK_ACCESS_NET_BIND_TCP, CONNECT_TCP
		5: {0xffff, 3, 0, 0}, // LANDLOCK_ACCESS_FS_IOCTL_DEV
		6: {0xffff, 3, 3, 0}, // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, SIGNAL
		7: {0xffff, 3, 3, 5}, // LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF, LOG_SUBDOMAINS_OFF
		8: {0xffff, 3, 3, 5},
	} {
		ops := host{landlock: abi}.landlockProgram(Config{})
		if abi == 0 {
			if ops != nil {
				t.Errorf("without Landlock: %v", ops)
			}
			continue
		}
		if ops[0].code != opLandlock || ops[0].arg != want {
			t.Errorf("ABI %d: %#x, want %#x", abi, ops[0].arg, want)
		}
		for _, o := range ops[1:] {
			if o.code != opPermit || o.arg[0]&^want[0] != 0 {
				t.Errorf("ABI %d: %v permits what is not handled", abi, o)
			}
		}
	}
}

// TestLandlockFlags: the flags reach the kernel, which refuses one that it doesn't know.
func TestLandlockFlags(t *testing.T) {
	b := requireSandbox(t)
	if b.spawner.host.landlock == 0 {
		return
	}
	b = b.another(t)
	b.spawner.program = func(cfg Config, h host) []op {
		ops := sandboxProgram(cfg, h)
		for i := range ops {
			if ops[i].code == opLandlock {
				ops[i].arg[3] |= 1 << 31
			}
		}
		return ops
	}
	r := b.run(t, process())
	if r.Verdict != StartFailed || !errors.Is(r.Err, unix.EINVAL) || !strings.Contains(r.Err.Error(), "landlock") {
		t.Errorf("with a flag that there is not: %+v, want EINVAL", r)
	}
}
