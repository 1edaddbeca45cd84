// SPDX-License-Identifier: Apache-2.0

package slots

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// MaxSlots is how many slots one daemon can have.
	MaxSlots = 4096

	ranges = 64 // daemons that a host can have

	// firstHostID is where the host ids of slots begin: far above what distributions and container engines hand out, and below
	// 2^31, which some old tools need.
	firstHostID = 1_879_048_192
)

// HostIDs returns the two host ids, of uids and gids alike, that the sandbox in a slot has: for its root and for its program. No other slot
// has them, so everything that the kernel counts by user (processes, keys, inotify watches, message queues) is counted by job.
func HostIDs(slot int) (root, program int64) {
	first := int64(firstHostID + 2*slot)
	return first, first + 1
}

// ClaimRange claims one of the host's ranges of slot numbers, of MaxSlots each, so that no two sandboxes on the host share host ids,
// whichever daemon they belong to. It returns the first slot of the range. The claim is a lock on a file in dir, which the kernel drops
// with the process.
func ClaimRange(dir string) (first int, claim *os.File, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, nil, fmt.Errorf("claim host ids: %w", err)
	}
	for n := range ranges {
		path := filepath.Join(dir, fmt.Sprintf("ids-%d.lock", n))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return 0, nil, fmt.Errorf("claim host ids: %w", err)
		}
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return n * MaxSlots, f, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			f.Close()
			return 0, nil, fmt.Errorf("claim host ids: lock %s: %w", path, err)
		}
		f.Close()
	}
	return 0, nil, fmt.Errorf("claim host ids: all %d ranges in %s are in use by running daemons: stop one", ranges, dir)
}
