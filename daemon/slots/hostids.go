package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	rangeDir   = "/run/ccee"
	rangeSlots = 4096 // slots that a daemon can have
	ranges     = 64   // daemons that a host can have
)

// claimRange takes one of the host's ranges of slot numbers for this daemon, so that no two sandboxes on the host share
// host ids, whichever daemon they belong to. It returns the range's first slot. The kernel frees the range with the process.
func claimRange(dir string) (first int, claim *os.File, err error) {
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
			return n * rangeSlots, f, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			f.Close()
			return 0, nil, fmt.Errorf("claim host ids: lock %s: %w", path, err)
		}
		f.Close()
	}
	return 0, nil, fmt.Errorf("claim host ids: all %d ranges in %s are taken by running daemons: stop one", ranges, dir)
}
