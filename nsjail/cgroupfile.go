// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/cgroups/fscommon"
	"golang.org/x/sys/unix"
)

// A sandbox costs some twenty accesses to small files of the cgroup file system. os.File would add an allocation and a
// try at epoll to each.

// readFile reads a file of a cgroup.
func readFile(dir, file string) (string, error) {
	path := dir + "/" + file
	var text string
	err := withFile(path, unix.O_RDONLY, func(fd int) error {
		var b [4096]byte // larger than any that is read here
		n, err := unix.Read(fd, b[:])
		text = string(b[:max(n, 0)])
		return err
	})
	return text, err
}

// writeFile writes one value to a file of a cgroup.
func writeFile(dir, file, value string) error {
	return withFile(dir+"/"+file, unix.O_WRONLY, func(fd int) error {
		_, err := unix.Write(fd, []byte(value))
		return err
	})
}

// withFile opens path for do, which makes one system call and is repeated when a signal interrupts it.
func withFile(path string, flags int, do func(fd int) error) error {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err == nil {
			err = do(fd)
			unix.Close(fd)
		}
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &os.PathError{Op: "access", Path: path, Err: err}
		}
	}
}

// readValue reads the number in a file, or the one behind key.
func readValue(dir, file, key string) (int64, error) {
	text, err := readFile(dir, file)
	if err != nil {
		return 0, err
	}
	v, err := value(text, key)
	if err != nil {
		return 0, fmt.Errorf("%s/%s: %w", dir, file, err)
	}
	return v, nil
}

// value is the number in text, or the one behind key.
func value(text, key string) (int64, error) {
	if key == "" {
		v, err := fscommon.ParseUint(strings.TrimSpace(text), 10, 64)
		return int64(v), err
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			return value(rest, "")
		}
	}
	return 0, fmt.Errorf("no %s in %q", key, text)
}
