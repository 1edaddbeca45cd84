// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/nsjail"
)

// Options says what to run. Paths are absolute: the children run in another directory.
type Options struct {
	Socket, Images, Data string                // of the daemon, of its image store, and for Redis's files
	Cgroup, LogLevel     string                // of the jails; of all parts
	Policy               string                // the daemon's seccomp policy file; "": the built-in one
	Languages            string                // what the api accepts before a worker has announced anything: its --languages
	Dev                  bool                  // the api accepts the development key
	RedisURL             bool                  // REDIS_URL names a Redis: none is started
	RedisMemoryMB        int64                 // MiB, 0 for a quarter of the machine's
	Environ              func(string) []string // the environment of the subcommand of that name: daemon, worker, api
	Listener             *net.TCPListener      // of the api; the stack closes it
	Log                  zerolog.Logger
}

// Up is the parts of one machine, ready to be started.
type Up struct {
	Options
	id         Identity
	kept       string       // where the daemon keeps the last policy that served; "" without a policy file
	redis      *redisServer // nil with a RedisURL
	services   *nsjail.Services
	lowerScore bool // oom_score_adj can be lowered, which takes CAP_SYS_RESOURCE
}

// New claims the data directory and changes the working directory to Redis's, see redisServer. Close releases all, the listener too, which
// is the caller's where New fails.
func New(o Options) (*Up, error) {
	u := &Up{Options: o, id: Unprivileged()}
	if !o.RedisURL {
		var err error
		if u.redis, err = openRedis(o.Data, o.RedisMemoryMB, u.id, o.Log); err != nil {
			return nil, err
		}
	}
	if err := u.prepareKeptPolicy(); err != nil {
		u.redis.close()
		return nil, err
	}
	u.prioritizeServices()
	return u, nil
}

// Run starts all parts, calls ready when a job can run, and waits. It returns nil after ctx ended and all parts are stopped, or the reason
// why the stack could not start or continue.
func (u *Up) Run(ctx context.Context, ready func() error) error {
	s := newStack(u.Log)
	defer s.stop()
	for _, c := range u.children() {
		if err := s.start(ctx, c); err != nil {
			if ctx.Err() != nil {
				return nil // asked to stop while starting
			}
			return err
		}
	}
	if err := ready(); err != nil {
		return err
	}
	return s.wait(ctx)
}

// Close releases what New claimed.
func (u *Up) Close() {
	_ = u.Listener.Close()
	_ = u.services.Close() // what is left is used again
	u.redis.close()
}

// prepareKeptPolicy gives the daemon a place for the last policy that served, and forgets what an earlier run kept there.
func (u *Up) prepareKeptPolicy() error {
	if u.Policy == "" {
		return nil
	}
	if err := os.MkdirAll(u.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w: choose another with --data", err)
	}
	u.kept = filepath.Join(u.Data, "seccomp-kept.json")
	if err := os.Remove(u.kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the policy of an earlier run: %w", err)
	}
	return nil
}

// prioritizeServices prepares what place does. Without it the services run all the same.
func (u *Up) prioritizeServices() {
	err := ProtectDaemon() // all parts die with this process
	if u.lowerScore = err == nil; !u.lowerScore {
		u.Log.Warn().Err(err).Msg("the kernel may kill the services for memory")
	}
	if u.services, err = nsjail.OpenServices(u.Cgroup); err != nil {
		u.Log.Warn().Err(err).Msg("the services have no cgroup of their own: jobs may delay them")
	}
}

// place returns what has a service killed late for memory, and run with the weight of all services, so that neither jobs nor other load of
// the host delay it.
func (u *Up) place(oomScore int) func(pid int) error {
	return func(pid int) error {
		var err error
		if u.lowerScore {
			err = setOOMScore(pid, oomScore)
		}
		return errors.Join(err, u.services.Join(pid))
	}
}
