// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runc/libcontainer/exeseal"
	"golang.org/x/sys/unix"
)

// ownExecutable is the binary that sandbox-init is linked into.
const ownExecutable = "/proc/self/exe"

// sealExecutable returns an executable in a form that nobody can write, not even through /proc/PID/exe of a process that was started from
// it; see CVE-2019-5736. onOverlay says which of two forms that is: our own executable on an overlay file system without a writable layer,
// which takes no memory, as its pages are those that the daemon runs from; or a sealed copy in memory (memfd_create(2)), which takes all of
// its size.
//
// A file that is replaced on disk changes neither: the overlay has the old file open, and a file that is being executed can't be written
// (ETXTBSY).
func sealExecutable(path string) (f *os.File, onOverlay bool, err error) {
	if path == ownExecutable && anybodyMayExecute(path) {
		f, err = sealSelf()
	} else {
		f, err = sealCopy(path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("seal %s: %w", path, err)
	}
	onOverlay, err = isSealed(f)
	if err != nil {
		f.Close()
		return nil, false, fmt.Errorf("seal %s: %w", path, err)
	}
	return f, onOverlay, nil
}

// isSealed is an error if f can be written. exeseal has a third way beside the two above, a temporary file, for kernels without
// memfd_create, which we don't run on.
func isSealed(f *os.File) (onOverlay bool, err error) {
	if exeseal.IsCloned(f) {
		return false, nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return false, os.NewSyscallError("fstatfs", err)
	}
	if fs.Type != unix.OVERLAYFS_SUPER_MAGIC || fs.Flags&unix.ST_RDONLY == 0 {
		return false, errors.New("it could still be written")
	}
	return true, nil
}

// anybodyMayExecute reports whether the probes of the self-test may execute it: on an overlay the file's own mode holds, unlike on a copy.
func anybodyMayExecute(path string) bool {
	st, err := os.Stat(path)
	const execute = 0o001
	return err == nil && st.Mode()&execute != 0
}

// sealSelf seals the executable of this process: as a copy where there is no overlayfs, or no place for a directory.
func sealSelf() (*os.File, error) {
	dir, err := os.MkdirTemp("", "ccee-seal-") // an overlay needs a second directory: this one is empty
	if err != nil {
		return sealCopy(ownExecutable)
	}
	defer os.Remove(dir)
	return exeseal.CloneSelfExe(dir)
}

func sealCopy(path string) (*os.File, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return nil, err
	}
	return exeseal.CloneBinary(src, st.Size(), "sandbox-init", os.TempDir())
}
