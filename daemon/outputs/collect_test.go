// SPDX-License-Identifier: Apache-2.0

package outputs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// collected collects from an ordinary directory what globs match.
func collected(t *testing.T, dir string, l job.Limits, globs ...string) *job.OutputFiles {
	t.Helper()
	g, err := job.ParseGlobs(globs)
	if err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := NewCollector()
	out, release := c.Collect(t.Context(), int(d.Fd()), g, l.Fill(job.DefaultRun))
	release()
	if !c.memory.TryAcquire(maxHeld) {
		t.Error("not all that was held is released")
	}
	return out
}

// summary is out in one line a file: its name, "x" if executable, its bytes; and the name and reason of what was skipped.
func summary(out *job.OutputFiles) string {
	var b strings.Builder
	for _, f := range out.Files {
		kind := ""
		if f.Exec {
			kind = " x"
		}
		fmt.Fprintf(&b, "%s%s %.20q\n", f.Name, kind, f.Data)
	}
	for _, s := range out.Skipped {
		fmt.Fprintf(&b, "%q %s %d\n", s.Name, s.Reason, s.Bytes)
	}
	if out.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", out.More)
	}
	return b.String()
}

// TestCollectBounds: each bound at its value and beyond it.
func TestCollectBounds(t *testing.T) {
	abc := map[string]string{"a": "1", "b": "22", "c": "333"}
	deep := map[string]string{"d/d/d/d/d/d/d/f": "8", "d/d/d/d/d/d/d/d/f": "9"}
	for _, tt := range []struct {
		name   string
		files  map[string]string
		limits job.Limits
		glob   string
		want   string
	}{
		{"all", abc, job.Limits{}, "*", "a \"1\"\nb \"22\"\nc \"333\"\n"},
		{"nothing", abc, job.Limits{}, "d", ""},
		{"count", abc, job.Limits{OutputFilesMax: 2}, "*", "a \"1\"\nb \"22\"\n\"c\" too_many 0\n"},
		{"one's bytes", abc, job.Limits{OutputFileBytes: 2}, "*", "a \"1\"\nb \"22\"\n\"c\" too_large 3\n"},
		{"all their bytes", abc, job.Limits{OutputFilesBytes: 6}, "*", "a \"1\"\nb \"22\"\nc \"333\"\n"},
		{"more than all their bytes", abc, job.Limits{OutputFilesBytes: 4}, "*", "a \"1\"\nb \"22\"\n\"c\" no_room 3\n"},
		{"a smaller one still fits", map[string]string{"a": "22", "b": "22", "c": "1"}, job.Limits{OutputFilesBytes: 3}, "*", "a \"22\"\nc \"1\"\n\"b\" no_room 2\n"},
		{"empty file", map[string]string{"a": ""}, job.Limits{}, "a", "a \"\"\n"},
		{"depth", deep, job.Limits{}, "**", "d/d/d/d/d/d/d/f \"8\"\n\"d/d/d/d/d/d/d/d\" too_deep 0\n"},
		{"a directory that no glob enters", map[string]string{"d/a": "", "e": "x"}, job.Limits{}, "*", "e \"x\"\n\"d\" directory 0\n"},
		{"a directory that a glob enters", map[string]string{"d/a": "y", "e": "x"}, job.Limits{}, "*/a", "d/a \"y\"\n"},
	} {
		if got := summary(collected(t, tree(t, tt.files), tt.limits, tt.glob)); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestCollectKinds: what is no regular file is reported and never opened; opening the FIFO would wait for ever.
func TestCollectKinds(t *testing.T) {
	dir := tree(t, map[string]string{"real": "data", "sub/in": "below"})
	at := func(name string) string { return filepath.Join(dir, name) }
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, err := range map[string]error{
		"passwd": os.Symlink("/etc/passwd", at("passwd")), "inner": os.Symlink("real", at("inner")), "loop": os.Symlink("loop", at("loop")),
		"dir": os.Symlink("sub", at("dir")), "etc": os.Symlink("/etc", at("etc")), "up": os.Symlink("..", at("up")),
		"fifo": unix.Mkfifo(at("fifo"), 0o666), "hard": os.Link(at("real"), at("hard")), "exec": os.WriteFile(at("exec"), nil, 0o700),
		"sparse":    errors.Join(os.WriteFile(at("sparse"), nil, 0o600), os.Truncate(at("sparse"), 1<<40)),
		"new\nline": os.WriteFile(at("new\nline"), nil, 0o600), "\xff": os.Mkdir(at("\xff"), 0o700), "\x1b[2J": unix.Mkfifo(at("\x1b[2J"), 0o600),
	} {
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
	}
	want := `exec x ""
hard "data"
real "data"
sub/in "below"
"\x1b[2J" fifo 0
"dir" symlink 0
"etc" symlink 0
"fifo" fifo 0
"inner" symlink 0
"loop" symlink 0
"new\nline" name 0
"passwd" symlink 0
"socket" socket 0
"sparse" too_large 1099511627776
"up" symlink 0
"\xff" name 0
`
	if got := summary(collected(t, dir, job.Limits{}, "**")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := summary(collected(t, dir, job.Limits{}, "etc/passwd", "up/*", "dir/in")), "\"dir\" symlink 0\n\"etc\" symlink 0\n\"up\" symlink 0\n"; got != want {
		t.Errorf("through links: got\n%s\nwant\n%s", got, want)
	}
}

// TestCollectMany: too many entries are not gone through, too many reports are counted; those that no glob wants don't count.
func TestCollectMany(t *testing.T) {
	dir := t.TempDir()
	for i := range maxEntries {
		if err := os.Symlink("x", filepath.Join(dir, fmt.Sprintf("%06d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "result"), []byte("r"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := summary(collected(t, dir, job.Limits{}, "*")), "\".\" entries 0\n"; got != want {
		t.Errorf("got %.300q, want %q", got, want)
	}
	if got := summary(collected(t, dir, job.Limits{}, "0*")); strings.Contains(got, "entries") {
		t.Errorf("got %.300q, though there are no more than may be noted", got)
	}
	if got, want := summary(collected(t, dir, job.Limits{}, "result")), "result \"r\"\n"; got != want {
		t.Errorf("got %.300q, want %q", got, want)
	}
	out := collected(t, dir, job.Limits{}, "0*1")
	if len(out.Skipped) != maxSkipped || out.More != 1639-maxSkipped || out.Skipped[0].Name != "000001" {
		t.Errorf("%d are named and %d more, the first %q", len(out.Skipped), out.More, out.Skipped[0].Name)
	}
}

// TestOpenBeneath: even a name that ought not to get that far leads nowhere.
func TestOpenBeneath(t *testing.T) {
	dir := tree(t, map[string]string{"sub/in": "x"})
	if err := os.Symlink("sub", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	top, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	for _, tt := range []struct {
		in   *os.File
		name string
		want error
	}{
		{d, "../sub/in", unix.EXDEV}, {d, "/etc/passwd", unix.EXDEV}, {d, "..", unix.EXDEV}, {top, "link/in", unix.ELOOP}, {top, "link", unix.ELOOP},
		{d, "in", nil}, {top, "sub/in", nil},
	} {
		f, err := openBeneath(int(tt.in.Fd()), tt.name, 0)
		if err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil {
			f.Close()
		}
	}
	root, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if f, err := openBeneath(int(root.Fd()), "proc/self/status", 0); err != unix.EXDEV {
		t.Errorf("another mount: %v, %v, want EXDEV", f, err)
	}
}

// TestCollectHolds: what is read is charged until it is released, and what there is no room for waits.
func TestCollectHolds(t *testing.T) {
	dir := tree(t, map[string]string{"a": string(bytes.Repeat([]byte("x"), uncounted)), "b": "1"})
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	g, err := job.ParseGlobs([]string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := &Collector{semaphore.NewWeighted(uncounted + 1)}
		_, release := c.Collect(t.Context(), int(d.Fd()), g, job.DefaultRun)
		if c.memory.TryAcquire(1) {
			t.Error("the files are not charged")
		}
		second := make(chan int, 1)
		go func() {
			out, release := c.Collect(t.Context(), int(d.Fd()), g, job.DefaultRun)
			defer release()
			second <- len(out.Files)
		}()
		synctest.Wait() // the second one waits, or has ended
		select {
		case n := <-second:
			t.Fatalf("%d files were read when there was no room", n)
		default:
		}
		release()
		if n, err := patience.Wait(second, "the second one has room"); err != nil {
			t.Error(err)
			c.memory.Release(uncounted + 1) // it must end before the bubble does
		} else if n != 2 {
			t.Errorf("%d files, want 2", n)
		}
	})
}

// TestCollectModes: a mode does not keep the daemon out. What the job may change it could have read.
func TestCollectModes(t *testing.T) {
	if os.Geteuid() != 0 {
		cannot(t, "needs root")
	}
	dir := tree(t, map[string]string{"none": "data", "sub/in": "below"})
	for name, mode := range map[string]fs.FileMode{"none": 0, "sub": 0} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := summary(collected(t, dir, job.Limits{}, "**")), "none \"data\"\nsub/in \"below\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCollectLease: a lease can outlive its processes, in flight between two sockets. Whoever opens the file then would wait for
// /proc/sys/fs/lease-break-time; the daemon doesn't.
func TestCollectLease(t *testing.T) {
	dir := tree(t, map[string]string{"leased": "x"})
	f, err := os.OpenFile(filepath.Join(dir, "leased"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		cannot(t, "needs a file system with leases: %v", err)
	}
	if got, want := summary(collected(t, dir, job.Limits{}, "*")), "\"leased\" unreadable 0\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// cannot skips the test, or fails it where SANDBOX_MUST_WORK=1 says that this machine can do it.
func cannot(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
