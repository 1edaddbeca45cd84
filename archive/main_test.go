// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/queue"
)

// cannot skips the test, or fails it where SANDBOX_MUST_WORK=1 says that this machine can do it.
func cannot(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// database is a PostgreSQL of one test on a unix socket, which can be killed and come back.
type database struct {
	bin, dir string
	as       *syscall.SysProcAttr
	cmd      *exec.Cmd
}

func (d *database) url() string { return "postgres://tester@/postgres?host=" + d.dir }

// newDatabase makes an empty one. PostgreSQL refuses to run as root, so it runs as the user that Debian's package makes.
func newDatabase(t testing.TB) *database {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		cannot(t, "PostgreSQL is not installed: make test-deps")
	}
	dir, err := os.MkdirTemp("", "archive-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &database{bin: filepath.Dir(slices.Max(found)), dir: dir, as: &syscall.SysProcAttr{}}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			cannot(t, "%v", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		d.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	init := exec.Command(found[len(found)-1], "-D", filepath.Join(dir, "data"), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
	init.SysProcAttr, init.Dir = d.as, dir
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	d.start(t)
	return d
}

func (d *database) start(t testing.TB) {
	t.Helper()
	d.cmd = exec.Command(filepath.Join(d.bin, "postgres"), "-D", filepath.Join(d.dir, "data"), "-k", d.dir, "-c", "listen_addresses=", "-c", "fsync=off")
	d.cmd.SysProcAttr, d.cmd.Dir = d.as, d.dir
	var out bytes.Buffer
	d.cmd.Stdout, d.cmd.Stderr = &out, &out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := openArchive(t, d)
	t.Cleanup(d.kill)
	patience.Until(t, "postgres answers", func() (bool, string) {
		err := a.pool.Ping(t.Context())
		return err == nil, fmt.Sprint(err)
	})
}

// kill kills the database as a crash does. Its processes die with the first one.
func (d *database) kill() {
	d.cmd.Process.Kill()
	d.cmd.Wait()
}

func openArchive(t testing.TB, d *database) *Archive {
	t.Helper()
	a, err := Open(d.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// newQueue starts a redis-server for one test and opens a queue on it.
func newQueue(t testing.TB) *queue.Queue {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		cannot(t, "redis-server is not installed: make test-deps")
	}
	dir, err := os.MkdirTemp("", "archive-redis")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); os.RemoveAll(dir) })
	q, err := queue.Open("unix://"+socket, queue.Options{JobTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	sockets[q] = socket
	t.Cleanup(func() { q.Close() })
	patience.Until(t, "redis-server answers", func() (bool, string) {
		err := q.Ping(t.Context())
		return err == nil, fmt.Sprint(err)
	})
	return q
}

// redis runs one command of redis-cli on the queue's Redis.
func redis(t testing.TB, q *queue.Queue, args ...string) string {
	t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-s", socketOf(q)}, args...)...).Output()
	if err != nil {
		t.Fatalf("redis-cli %q: %v", args, err)
	}
	return string(bytes.TrimSpace(out))
}

// rig is a database, a queue, and a copier between them whose rounds the test takes.
type rig struct {
	*database
	archive *Archive
	queue   *queue.Queue
	copier  *Copier
}

func newRig(t testing.TB) *rig {
	d := newDatabase(t)
	r := &rig{database: d, archive: openArchive(t, d), queue: newQueue(t)}
	r.copier = newCopier(t, r)
	if _, err := r.copier.round(t.Context()); err != nil { // from now on jobs wait for it
		t.Fatal(err)
	}
	return r
}

func newCopier(t testing.TB, r *rig) *Copier {
	c, err := NewCopier(r.archive, r.queue, zerolog.Nop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.archive.Close)
	return c
}

// waiting is what waits, as a copier has read it and not written it yet.
func (r *rig) waiting(t testing.TB) []change {
	t.Helper()
	list, err := r.queue.Unarchived(t.Context(), 9)
	if err != nil || len(list) == 0 {
		t.Fatalf("nothing waits: %v", err)
	}
	var changes []change
	for _, u := range list {
		one, _, err := r.copier.read(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, one)
	}
	return changes
}

// copy copies all that waits.
func (r *rig) copy(t testing.TB) {
	t.Helper()
	patience.Until(t, "all is copied", func() (bool, string) {
		more, err := r.copier.round(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return !more, "there is more"
	})
}

var ids atomic.Int64

// unique makes a name that no other test uses.
func unique(s string) string { return fmt.Sprintf("%s-%d", s, ids.Add(1)) }

// sockets are those of the tests' Redis servers.
var sockets = map[*queue.Queue]string{}

func socketOf(q *queue.Queue) string { return sockets[q] }
