package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/seccomp"

	"golang.org/x/sys/unix"
)

func loadPolicy(path string) (*seccomp.Policy, error) {
	if path == "" {
		return seccomp.Default(), nil
	}
	return seccomp.Load(path)
}

// newDaemon makes a daemon under the policy in file, and keeps a copy of that in kept ("": nowhere) when it serves. When it can't, the policy
// that was kept serves, and everybody is told: a file that was damaged must not stop what runs.
func newDaemon(o daemon.Options, file, kept string) (*daemon.Server, error) {
	policy, err := loadPolicy(file)
	if err == nil {
		o.Policy = policy
		var srv *daemon.Server
		if srv, err = daemon.New(o); err == nil {
			if err := keepPolicy(policy, file, kept); err != nil {
				o.Log.Warn().Err(err).Msg("the policy is in force, but not kept for the case that its file is damaged")
			}
			return srv, nil
		}
	}
	old, oldErr := loadKept(kept)
	if oldErr != nil || policy != nil && old.Digest() == policy.Digest() {
		return nil, err
	}
	o.Policy = old
	o.Warnings = append(o.Warnings, fmt.Sprintf("the policy in %s can't serve, the last one that did is in force: %v", file, err))
	srv, oldErr := daemon.New(o)
	if oldErr != nil {
		return nil, err // it is not for the policy
	}
	o.Log.Error().Err(err).Str("policy", file).Str("instead", kept).Str("digest", old.Digest()).
		Msg("the policy can't serve: the last one that did is in force; repair the file and restart the daemon")
	return srv, nil
}

// planPolicy reads the policy, so that a bad one is an error at the start.
func (u *plan) planPolicy() error {
	file := os.Getenv("CCEE_SECCOMP")
	if file == "" {
		return nil
	}
	if _, err := loadPolicy(file); err != nil {
		return err
	}
	var err error
	if u.policy, err = filepath.Abs(file); err != nil {
		return fmt.Errorf("CCEE_SECCOMP: %w", err)
	}
	return nil
}

// openKept gives the daemon a place for the last policy that served, and forgets what an earlier ccee up kept there.
func (u *plan) openKept() error {
	if u.policy == "" {
		return nil
	}
	if err := os.MkdirAll(u.data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w: choose another with --data", err)
	}
	u.kept = filepath.Join(u.data, "seccomp-kept.json")
	if err := os.Remove(u.kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the policy of an earlier run: %w", err)
	}
	return nil
}

// planLanguages reads what can be submitted before a worker is there, so that a mistake is an error at the start.
func (u *plan) planLanguages() error {
	u.languages = os.Getenv("CCEE_LANGUAGES")
	if u.languages == "" || u.languages == noLanguages {
		return nil
	}
	if _, err := seedLanguages(u.languages); err != nil {
		return err
	}
	var err error
	u.languages, err = filepath.Abs(u.languages)
	return err
}

// keepPolicy writes the bytes of policy, which file had a moment ago, to kept.
func keepPolicy(policy *seccomp.Policy, file, kept string) error {
	if file == "" || kept == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if p, err := seccomp.Parse(data); err != nil || p.Digest() != policy.Digest() {
		return fmt.Errorf("%s has changed meanwhile", file)
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

// loadKept reads what keepPolicy wrote. A file that others could have put there is none of ours.
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
