// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ccee-dev/ccee/seccomp"

	"golang.org/x/sys/unix"
)

// Load reads the policy at path; "": the built-in one.
func Load(path string) (*seccomp.Policy, error) {
	if path == "" {
		return seccomp.Default(), nil
	}
	return seccomp.Load(path)
}

// keep copies file, from which policy was loaded a moment ago, to kept.
func keep(policy *seccomp.Policy, file, kept string) error {
	if file == "" || kept == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if p, err := seccomp.Parse(data); err != nil || p.Digest() != policy.Digest() {
		return fmt.Errorf("%s was changed meanwhile", file)
	}
	tmp, err := os.CreateTemp(filepath.Dir(kept), "policy-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), kept)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// loadKept reads what keep wrote. It refuses a file that another user could have put there.
func loadKept(kept string) (*seccomp.Policy, error) {
	if kept == "" {
		return nil, fs.ErrNotExist
	}
	var st unix.Stat_t
	if err := unix.Lstat(kept, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != uint32(os.Geteuid()) || st.Mode&0o022 != 0 {
		return nil, fmt.Errorf("%s is not a file that uid %d alone can write", kept, os.Geteuid())
	}
	return seccomp.Load(kept)
}
