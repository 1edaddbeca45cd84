package policy

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

// Load reads the policy at path; "": the built-in one.
func Load(path string) (*seccomp.Policy, error) {
	if path == "" {
		return seccomp.Default(), nil
	}
	return seccomp.Load(path)
}

// NewDaemon makes a daemon under the policy in file, and keeps a copy of the file at kept ("": nowhere). If no daemon can serve under that
// policy, one under the kept copy is returned, with a warning in its log and in its readiness: a damaged file must not stop a host that works.
func NewDaemon(o daemon.Options, file, kept string) (*daemon.Server, error) {
	policy, err := Load(file)
	if err == nil {
		o.Policy = policy
		var srv *daemon.Server
		if srv, err = daemon.New(o); err == nil {
			if err := keep(policy, file, kept); err != nil {
				o.Log.Warn().Err(err).Msg("the daemon serves under the policy, but has no copy of it for the case that its file is damaged")
			}
			return srv, nil
		}
	}
	old, oldErr := loadKept(kept)
	if oldErr != nil || policy != nil && old.Digest() == policy.Digest() {
		return nil, err
	}
	o.Policy = old
	o.Warnings = append(o.Warnings, fmt.Sprintf("no daemon can serve under the policy in %s, so this one serves under the last that worked: %v", file, err))
	srv, oldErr := daemon.New(o)
	if oldErr != nil {
		return nil, err // the policy is not the reason
	}
	o.Log.Error().Err(err).Str("policy", file).Str("instead", kept).Str("digest", old.Digest()).
		Msg("no daemon can serve under the policy: the last one that worked is used; repair the file and restart the daemon")
	return srv, nil
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
