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
	"github.com/ccee-dev/ccee/e2e/redistest"
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

// openQueue opens a queue on a Redis.
func openQueue(t testing.TB, r *redistest.Server) *queue.Queue {
	t.Helper()
	q, err := queue.Open(r.URL(), queue.Options{JobTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// rig is a database, a queue on a Redis of its own, and a copier between them whose rounds the test takes.
type rig struct {
	*database
	archive *Archive
	redis   *redistest.Server
	queue   *queue.Queue
	copier  *Copier
}

func newRig(t testing.TB) *rig {
	d, redis := newDatabase(t), redistest.New(t)
	r := &rig{database: d, archive: openArchive(t, d), redis: redis, queue: openQueue(t, redis)}
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
