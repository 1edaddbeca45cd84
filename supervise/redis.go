package main

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

	"github.com/ccee-dev/ccee/daemon"
)

// ownRedisURL is how worker and api reach the redis-server that ccee up runs. The children inherit ccee's working directory,
// which is Redis's: an absolute path might lead through directories that the unprivileged user can't pass, and might be
// longer than the 107 bytes of a unix socket's address.
const ownRedisURL = "unix:///proc/self/cwd/redis.sock"

// openData makes the data directory, locks it, and goes there. Nothing to do with a REDIS_URL from outside.
func (u *plan) openData() error {
	if os.Getenv("REDIS_URL") != "" {
		return nil
	}
	var err error
	if u.redis, err = exec.LookPath("redis-server"); err != nil {
		return errors.New("redis-server is not installed: run make deps (or apt-get install redis-server), or set REDIS_URL")
	}
	if u.redisMemory, err = redisMemory(u.cmd.Int64("redis-memory-mb")); err != nil {
		return err
	}
	dir := filepath.Join(u.data, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w: choose another with --data", err)
	}
	// The lock dies with the process, so a kill -9 leaves nothing to clean up.
	if u.lock, err = os.OpenFile(filepath.Join(u.data, "up.lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(u.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another ccee up uses %s: stop it, or choose another directory with --data", u.data)
	}
	if err := u.own(dir); err != nil {
		return fmt.Errorf("give %s to uid %d: %w", dir, u.id.uid, err)
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("go to the data directory: %w", err)
	}
	return nil
}

// own gives what an earlier run may have made as another user to the unprivileged one. Through os.Root, because that user
// may write there and must not lead root astray with a symlink.
func (u *plan) own(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(path, u.id.uid, u.id.gid)
	})
}

func (u *plan) redisChild() child {
	return child{name: "redis", prepare: u.checkAOF, command: u.redisCommand, cred: u.id.credential(), ready: redisAnswers, grace: 20 * time.Second, started: u.place(oomRedis)}
}

// redisCommand: everything acknowledged is in the append-only file before the answer is sent, so a killed Redis or ccee
// loses nothing; everysec means that a power failure may lose the last second, and a kill what came in the last two while the disk was
// too slow. OPERATIONS.md says how to have it stricter.
func (u *plan) redisCommand() *exec.Cmd {
	return &exec.Cmd{Path: u.redis, Env: []string{}, Stdout: os.Stderr, Stderr: os.Stderr, Args: []string{
		"redis-server", "--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "600", "--dir", ".",
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		// Below that the file is read within a few seconds, and writing it anew costs a core meanwhile.
		"--auto-aof-rewrite-min-size", "256mb",
		// Without a bound a flood of results would take the memory of the jobs, and of everything else here.
		"--maxmemory", strconv.FormatInt(u.redisMemory, 10), "--maxmemory-policy", "noeviction", "--loglevel", "warning",
	}}
}

// minRedisMemory is what Redis needs itself, and for some jobs at once, in bytes.
const minRedisMemory = 64 << 20

// redisMemory is how many bytes Redis may use: mb MiB or, with 0, a quarter of the machine's.
func redisMemory(mb int64) (int64, error) {
	if mb > 0 {
		return max(mb<<20, minRedisMemory), nil
	}
	all, err := daemon.MachineMemory()
	if err != nil {
		return 0, fmt.Errorf("find out how much memory Redis may use: %w: say it with --redis-memory-mb", err)
	}
	return max(all/4, minRedisMemory), nil
}

// checkAOF cuts off the append-only file what a killed Redis wrote half. Redis would cut it itself, but within a transaction (7.0.15): its
// first half stays in the file, and at the next start it is run together with the transaction after it. So a job could be finished, and
// billed, twice.
func (u *plan) checkAOF() *exec.Cmd {
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
		err = fmt.Errorf("redis-server says %q", answer) // "-LOADING ..." while it reads the append-only file
	}
	return err
}
