// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// dirOnDisk is a directory whose files are in the page cache and can leave it: not on a tmpfs.
func dirOnDisk(t *testing.T) string {
	t.Helper()
	for _, at := range []string{os.TempDir(), "/var/tmp", "/var/lib"} {
		var fs unix.Statfs_t
		if err := unix.Statfs(at, &fs); err != nil || fs.Type == unix.TMPFS_MAGIC {
			continue
		}
		dir, err := os.MkdirTemp(at, "nsjail-test-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	t.Fatal("every directory for temporary files is on a tmpfs")
	return ""
}

// TestDyingCgroups: the kernel keeps a removed cgroup for what its job was the first to read. Not without end: jobs that each read
// something that nobody has read leave no more than the bound, and those that are asked for between two looks.
func TestDyingCgroups(t *testing.T) {
	requireSandbox(t)
	const jobs, most, each = 120, 20, 256 << 10
	dir := dirOnDisk(t)
	root, err := makeImage(dir)
	if err != nil {
		t.Fatal(err)
	}
	cgroups, err := OpenCgroups(fmt.Sprintf("ccee-nsjail-dying-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	cgroups.dying.most = most
	spawner, err := NewSpawner(cgroups, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(spawner.Close(), cgroups.Close()); err != nil {
			t.Error(err)
		}
	}()
	b := &box{root, cgroups, spawner}
	for n := range jobs {
		unread(t, fmt.Sprintf("%s/file-%d", root, n), each)
	}
	for n := range jobs {
		sb, err := spawner.New(t.Context(), b.config())
		if err != nil {
			t.Fatal(err)
		}
		r, err := sb.Run(t.Context(), process("read", fmt.Sprintf("/file-%d", n)))
		if err := errors.Join(err, sb.Close()); err != nil || string(r.Stdout.Data) != "read: OK\n" {
			t.Fatalf("%+v, %v", r, err)
		}
		cgroups.dying.drops.Wait() // else there are as many more as come while it is at work
	}
	kept := func() int64 { // cgroups, by what is charged to them and to none that there is
		if cgroups.at.v2() {
			n, err := readValue(cgroups.at.memory, "cgroup.stat", "nr_dying_descendants")
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		n, err := readValue(cgroups.at.memory, "memory.stat", "total_cache")
		if err != nil {
			t.Fatal(err)
		}
		return n / each
	}
	patience.Until(t, "the kernel lets go", func() (bool, string) { // it does so when it comes to it
		n := kept()
		return n <= most+dyingCheck, fmt.Sprintf("%d of %d removed cgroups are kept, want %d", n, jobs, most+dyingCheck)
	})
}

// unread makes a file that is not in the page cache.
func unread(t *testing.T, name string, bytes int) {
	t.Helper()
	f, err := os.Create(filepath.Clean(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Write(make([]byte, bytes))
	if err := errors.Join(err, f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryCgroups(t *testing.T) {
	const text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t2\t1\nmemory\t4\t86\t1\npids\t8\t3\t1\n"
	if n, err := memoryCgroups(text); n != 86 || err != nil {
		t.Errorf("%d, %v, want 86", n, err)
	}
	for _, text := range []string{"", "memory\t4\n", "memory\t4\tx\t1\n"} {
		if n, err := memoryCgroups(text); err == nil {
			t.Errorf("%q is %d, want an error", text, n)
		}
	}
}

// TestCgroupThatCannotBeMade is not counted as one that lives: the bound of removed ones is what the kernel has less those.
func TestCgroupThatCannotBeMade(t *testing.T) {
	at := hierarchies{unified: filepath.Join(t.TempDir(), "missing")}
	c := &Cgroups{at: at, dying: &dying{at: at, most: maxDying}}
	if cg, err := c.newCgroup(); err == nil || cg != nil || c.dying.live.Load() != 0 {
		t.Errorf("%+v, %v, %d cgroups are counted", cg, err, c.dying.live.Load())
	}
}
