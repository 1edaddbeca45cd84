package nsjail

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// sealedCopy copies an executable into a memfd and seals it against any change: what sandboxes are started from can't be
// written through /proc/PID/exe, neither the copy (sealed) nor the original (not it). See memfd_create(2), CVE-2019-5736.
func sealedCopy(path string) (*os.File, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	fd, err := unix.MemfdCreate("sandbox-init", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3 there is no MFD_EXEC, and all memfds are executable
		fd, err = unix.MemfdCreate("sandbox-init", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "sandbox-init")
	defer f.Close()
	if _, err := io.Copy(f, src); err != nil {
		return nil, fmt.Errorf("copy %s into a memfd: %w", path, err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal memfd: %w", err)
	}
	// Read-only: what is open for writing can't be executed (ETXTBSY).
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}
