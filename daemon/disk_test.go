// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/seccomp"
)

// readsOfTheDisk tries each way to have the disk read what is in memory already, and prints how many bytes came from it
// (read_bytes, see proc_pid_io(5)): the process's own count, so nobody else is in it.
const readsOfTheDisk = `
import ctypes, fcntl, mmap, os
file = max((e.path for d in ("/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu") if os.path.isdir(d)
            for e in os.scandir(d) if e.is_file(follow_symlinks=False)), key=os.path.getsize)
size, part = os.path.getsize(file), 1 << 16
libc = ctypes.CDLL(None, use_errno=True)
buffer = mmap.mmap(-1, part)

def read_bytes():
    return next(int(line.split()[1]) for line in open("/proc/self/io") if line.startswith("read_bytes"))

def read(fd, flags=0):
    for i in range(64):
        os.preadv(fd, [buffer], i * part % (size - part) & -4096, flags)

def drop(fd, how):
    for i in range(8):
        how()
        read(fd)

def in_memory(how):
    m = mmap.mmap(os.open(file, os.O_RDONLY), 0, prot=mmap.PROT_READ)
    for i in range(0, size, 4096): m[i]
    m.madvise(how)

def openat2():
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY | os.O_DIRECT, 0, 0)
    fd = libc.syscall(437, -100, file.encode(), how, 24)
    if fd < 0: raise OSError(ctypes.get_errno(), "openat2")
    return fd

def become_direct():
    fd = os.open(file, os.O_RDONLY)
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_DIRECT)
    return fd

plain = os.open(file, os.O_RDONLY)
read(plain)
for name, way in {
    "O_DIRECT": lambda: read(os.open(file, os.O_RDONLY | os.O_DIRECT)),
    "openat2": lambda: read(openat2()),
    "F_SETFL": lambda: read(become_direct()),
    "RWF_DONTCACHE": lambda: [read(plain, 0x80) for i in range(4)],
    "POSIX_FADV_DONTNEED": lambda: drop(plain, lambda: os.posix_fadvise(plain, 0, 0, os.POSIX_FADV_DONTNEED)),
    "MADV_COLD": lambda: drop(plain, lambda: in_memory(20)),
    "MADV_PAGEOUT": lambda: drop(plain, lambda: in_memory(21)),
    "sync_file_range": lambda: drop(plain, lambda: libc.sync_file_range(plain, 0, size, 7)),
}.items():
    before = read_bytes()
    try:
        way()
    except OSError as e:
        name += " (%s)" % os.strerror(e.errno)
    print(name, read_bytes() - before, sep=": ")
`

// allowAll is a policy that refuses nothing.
func allowAll(t *testing.T) *seccomp.Policy {
	t.Helper()
	p, err := seccomp.Parse([]byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDiskReads: a program can't have the disk read again what is in the page cache, which is as fast as the disk goes and which no limit
// of a job counts. Under a policy that allows everything it can, by O_DIRECT at least: so it is seen here.
func TestDiskReads(t *testing.T) {
	disk := func(policy *seccomp.Policy) (total int64, report string) {
		s := realDaemon(t, func(o *Options) { o.Policy = policy })
		step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: readsOfTheDisk, Run: job.Limits{MemoryBytes: 512 * job.MiB}}))
		report = string(step.Stdout.Data)
		if !step.OK() || strings.Count(report, "\n") != 8 {
			t.Fatal(describeStep(step))
		}
		for line := range strings.Lines(report) {
			var n int64
			_, number, _ := strings.Cut(line, ": ")
			if _, err := fmt.Sscan(number, &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			total += n
		}
		return total, report
	}
	reached, report := disk(allowAll(t))
	t.Logf("with no policy the disk reads %d KiB:\n%s", reached>>10, report)
	if reached < 64*64<<10 { // once, by one way
		t.Errorf("the disk reads %d bytes for a program that nobody keeps from it: this test sees nothing", reached)
	}
	got, report := disk(seccomp.Default())
	t.Logf("with ours %d KiB:\n%s", got>>10, report)
	if got > reached/8 {
		t.Errorf("the disk reads %d bytes, more than an eighth of the %d without a policy", got, reached)
	}
}

// flushes makes n calls of each kind that writes a file back, on a file of the image.
const flushes = `
import ctypes, mmap, os
libc, n = ctypes.CDLL(None, use_errno=True), %d
fd = os.open("/etc/passwd", os.O_RDONLY)
m = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
for i in range(n):
    os.fsync(fd)
    os.fdatasync(fd)
    libc.sync_file_range(fd, 0, 0, 7)
    m.flush()
for bad in (libc.fsync, libc.fdatasync):
    ctypes.set_errno(0)
    print(bad(-1), os.strerror(ctypes.get_errno()))
`

// flushesOf is how often the disk of path was told to write its cache: see Documentation/admin-guide/iostats.rst.
func flushesOf(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile("/proc/diskstats")
	if err != nil {
		t.Fatal(err)
	}
	const completed = 18 // of the columns from 1 on, the fields from the fourth on
	for line := range strings.Lines(string(all)) {
		f := strings.Fields(line)
		if f[0] == fmt.Sprint(unix.Major(st.Dev)) && f[1] == fmt.Sprint(unix.Minor(st.Dev)) && len(f) > completed {
			var n int64
			if _, err := fmt.Sscan(f[completed], &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s is on no disk that /proc/diskstats counts the flushes of", path)
	return 0
}

// TestDiskFlushes: a program can't have the host's disk write its cache, which everyone's fsync waits for. Others may do so meanwhile,
// hence the several tries, and the control: the same calls from outside.
func TestDiskFlushes(t *testing.T) {
	const n, tries = 200, 5
	s := realDaemon(t, nil)
	lang, err := s.languages.lookup(t.Context(), "python")
	if err != nil {
		t.Fatal(err)
	}
	store := openImages(t)
	defer store.Close()
	root, err := store.Unpack(t.Context(), lang.image)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "etc/passwd")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before := flushesOf(t, path)
	for range n {
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	control := flushesOf(t, path) - before
	if control < n/2 {
		t.Errorf("%d calls of fsync from outside flush the disk %d times: this test sees nothing", n, control)
	}
	least := int64(-1)
	for range tries {
		before := flushesOf(t, path)
		step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: fmt.Sprintf(flushes, n)}))
		got := flushesOf(t, path) - before
		if want := strings.Repeat("-1 Bad file descriptor\n", 2); !step.OK() || string(step.Stdout.Data) != want || len(step.DeniedSyscalls) > 0 {
			t.Fatalf("%s\nwant %q, and nothing refused", describeStep(step), want)
		}
		if least < 0 || got < least {
			least = got
		}
	}
	t.Logf("%d flushes for %d calls from outside, %d for %d from inside", control, n, least, 3*n)
	if least > control/4 {
		t.Errorf("the disk was flushed %d times for a job's %d calls, and %d times for %d from outside", least, 3*n, control, n)
	}
}
