// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon"
)

// ownRedisURL is how worker and api reach the redis-server of the stack. The children inherit ccee's working directory,
// which is Redis's: an absolute path might lead through directories that the unprivileged user can't pass, and might be
// longer than the 107 bytes of a unix socket's address.
const ownRedisURL = "unix:///proc/self/cwd/redis.sock"

// redisServer is the redis-server of the stack. Its methods work in the working directory.
type redisServer struct {
	path   string   // of the program
	memory int64    // bytes that it may use
	lock   *os.File // of the data directory
	log    zerolog.Logger
}

// openRedis makes the data directory, locks it, gives Redis's part of it to id, and changes the working directory to that. What Redis
// writes goes to log.
func openRedis(data string, memoryMB int64, id Identity, log zerolog.Logger) (*redisServer, error) {
	r := &redisServer{log: log}
	var err error
	if r.path, err = exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("redis-server is not installed: run make deps (or apt-get install redis-server), or set REDIS_URL")
	}
	if r.memory, err = redisMemory(memoryMB); err != nil {
		return nil, err
	}
	dir := filepath.Join(data, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w: choose another with --data", err)
	}
	// The lock dies with the process, so a kill -9 leaves nothing to clean up.
	if r.lock, err = os.OpenFile(filepath.Join(data, "up.lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := r.claim(data, dir, id); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// claim is the part of openRedis that needs the lock file.
func (r *redisServer) claim(data, dir string, id Identity) error {
	if err := syscall.Flock(int(r.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another ccee up uses %s: stop it, or choose another directory with --data", data)
	}
	if err := chownTree(dir, id); err != nil {
		return fmt.Errorf("give %s to uid %d: %w", dir, id.UID, err)
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("change to the data directory: %w", err)
	}
	return nil
}

// close releases the data directory; r may be nil.
func (r *redisServer) close() {
	if r != nil {
		_ = r.lock.Close()
	}
}

// chownTree gives id what an earlier run may have made as another user. Through os.Root, because that user
// may write there and must not lead root astray with a symlink.
func chownTree(dir string, id Identity) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(path, id.UID, id.GID)
	})
}

// command starts redis-server. Everything acknowledged is in the append-only file before the answer is sent, so a killed Redis or ccee
// loses nothing; everysec means that a power failure may lose the last second, and a kill what came in the last two while the disk was
// too slow. OPERATIONS.md says how to make it stricter.
func (r *redisServer) command() *exec.Cmd {
	out := &redisLog{log: r.log}
	// Not longer than WaitDelay: a child of Redis that rewrites the file may hold the pipe.
	return &exec.Cmd{Path: r.path, Env: []string{}, Stdout: out, Stderr: out, WaitDelay: time.Second, Args: []string{
		"redis-server", "--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "600", "--dir", ".",
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		// A file below that size is read within a few seconds, and rewriting it costs a core meanwhile.
		"--auto-aof-rewrite-min-size", "256mb",
		// Without a bound a flood of results would take the memory of the jobs, and of everything else here.
		"--maxmemory", strconv.FormatInt(r.memory, 10), "--maxmemory-policy", "noeviction", "--loglevel", "warning",
	}}
}

// minRedisMemory is what Redis needs for itself and for a few jobs, in bytes.
const minRedisMemory = 64 << 20

// redisMemory is how many bytes Redis may use: mb MiB or, with 0, a quarter of the machine's.
func redisMemory(mb int64) (int64, error) {
	if mb > 0 {
		return max(mb<<20, minRedisMemory), nil
	}
	all, err := daemon.MachineMemory()
	if err != nil {
		return 0, fmt.Errorf("find how much memory Redis may use: %w: set --redis-memory-mb", err)
	}
	return max(all/4, minRedisMemory), nil
}

// checkAOF removes a half-written command that a killed Redis left at the end of the append-only file. Redis would remove it itself, but
// in the middle of a transaction (7.0.15) it keeps the first half, and runs that with the next transaction after the restart. So a job
// could be finished, and billed, twice.
func (r *redisServer) checkAOF() *exec.Cmd {
	const manifest = "appendonlydir/appendonly.aof.manifest"
	if _, err := os.Stat(manifest); err != nil {
		return nil // a first start; or Redis 6, which is not known to do that
	}
	cmd := exec.Command("redis-check-aof", "--fix", manifest)
	cmd.Env = []string{}
	cmd.Stdin = strings.NewReader("y\ny\ny\n")
	return cmd
}

// redisAnswers reports why Redis can't be used yet.
func redisAnswers(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", "redis.sock")
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+PONG\r\n" {
		err = fmt.Errorf("redis-server answers %q", answer) // "-LOADING ..." while it reads the append-only file
	}
	return err
}
