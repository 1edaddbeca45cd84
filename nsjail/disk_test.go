// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// onDisk is a box whose image is on a disk, with a parent cgroup of its own.
func onDisk(t *testing.T) *box {
	t.Helper()
	shared := requireSandbox(t)
	dir := dirOnDisk(t)
	root := filepath.Join(dir, "image")
	prog, err := os.ReadFile(shared.root + "/prog")
	if err := errors.Join(err, os.Chmod(dir, 0o755), os.CopyFS(root, os.DirFS(shared.root)), os.WriteFile(root+"/prog", prog, 0o755),
		os.Chmod(root+"/prog", 0o755)); err != nil {
		t.Fatal(err)
	}
	return apart(t, root)
}

// coldFile makes a file in the image that is on the disk and not in the page cache.
func (b *box) coldFile(t *testing.T, name string, size int) {
	t.Helper()
	f, err := os.Create(b.root + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Write(make([]byte, size))
	if err := errors.Join(err, f.Chmod(0o644), f.Sync()); err != nil {
		t.Fatal(err)
	}
	patience.Until(t, "the page cache lets go of "+name, func() (bool, string) {
		err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		pages := resident(t, f, size)
		return err == nil && pages == 0, fmt.Sprintf("%v, %d pages", err, pages)
	})
}

// resident is how many pages of f are in the page cache; see mincore(2).
func resident(t *testing.T, f *os.File, size int) (pages int) {
	t.Helper()
	mapped, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mapped)
	in := make([]byte, size/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mapped[0])), uintptr(size), uintptr(unsafe.Pointer(&in[0]))); errno != 0 {
		t.Fatal(errno)
	}
	for _, b := range in {
		pages += int(b & 1)
	}
	return pages
}

// readCold is how long a program takes to read a file of that size that the page cache doesn't have.
func (b *box) readCold(t *testing.T, way, name string, size int) time.Duration {
	t.Helper()
	b.coldFile(t, name, size)
	sb := b.sandbox(t)
	if err := sb.Ready(); err != nil {
		t.Fatal(err)
	}
	r := b.runStep(t, sb, process(way, "/"+name))
	if string(r.Stdout.Data) != way+": OK\n" {
		t.Fatalf("%s %s: %+v", way, name, r)
	}
	return r.Usage.Wall
}

// TestDiskReads: a program doesn't read faster from the disk of its image than it may, by bytes and by operations, nor do several together
// where the kernel can bound that. The kernel lets a slice of time's worth through at once: 100 ms, or 20 on some disks.
func TestDiskReads(t *testing.T) {
	b := onDisk(t)
	const size, rate = 4 << 20, 2 << 20 // bytes, bytes a second for one
	least := time.Duration(float64(size)/rate*0.8*float64(time.Second)) - 100*time.Millisecond
	free := b.readCold(t, "read", "free", size)
	const plenty = 1 << 30
	disks, err := b.cgroups.LimitDisk(b.root, DiskRate{Bytes: diskPart * rate, Operations: plenty})
	if err != nil || len(disks) == 0 {
		t.Fatalf("disks %v, %v: want the disk of %s, and its limit", disks, err, b.root)
	}
	bytes := b.readCold(t, "read", "bytes", size)
	t.Logf("disks %v: %d bytes in %v without a limit, %v with %d a second", disks, size, free, bytes, rate)
	if bytes < least {
		t.Errorf("%d bytes took %v, want at least %v", size, bytes, least)
	}

	const operations = size / (128 << 10)
	if _, err := b.cgroups.LimitDisk(b.root, DiskRate{Bytes: plenty, Operations: diskPart * operations / 2}); err != nil {
		t.Fatal(err)
	}
	if took := b.readCold(t, "sparse", "operations", size); took < least {
		t.Errorf("%d operations took %v, want at least %v", operations, took, least)
	}
	if b.cgroups.at.ioV2() {
		b.readTogether(t, size, rate)
	}
}

// readTogether has four programs read at once; together they may have as much as two.
func (b *box) readTogether(t *testing.T, size, rate int) {
	t.Helper()
	if _, err := b.cgroups.LimitDisk(b.root, DiskRate{Bytes: diskPart * int64(rate), Operations: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	names := []string{"a", "b", "c", "d"}
	began := time.Now()
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() { b.readCold(t, "read", name, size) })
	}
	all.Wait()
	seconds := 0.8 * float64(len(names)*size) / float64(diskPart*rate)
	if took := time.Since(began).Seconds(); took < seconds {
		t.Errorf("%d programs took %.1f s together, want at least %.1f", len(names), took, seconds)
	}
}

// TestDisksOf: a partition stands for its disk (only disks can be limited), and what tells nothing of its disk for all of them; see the
// kernel's sysfs-block.
func TestDisksOf(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"devices/sda/dev": "8:0\n", "devices/sda/size": "1000\n",
		"devices/sda/sda2/dev": "8:2\n", "devices/sda/sda2/partition": "2\n",
		"devices/dm-0/dev": "253:0\n", "devices/dm-0/size": "500\n",
		"devices/loop0/dev": "7:0\n", "devices/loop0/size": "0\n",
		"devices/ram0/dev": "1:0\n", "devices/ram0/size": "8192\n",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/numbers", 0o755); err != nil {
		t.Fatal(err)
	}
	for number, to := range map[string]string{"8:0": "sda", "8:2": "sda/sda2", "253:0": "dm-0"} {
		if err := os.Symlink("../devices/"+to, dir+"/numbers/"+number); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		major, minor uint32
		want         string
	}{{8, 0, "8:0"}, {8, 2, "8:0"}, {253, 0, "253:0"}} {
		if got, err := wholeDisk(dir+"/numbers", unix.Mkdev(tt.major, tt.minor)); err != nil || got != tt.want {
			t.Errorf("the disk of %d:%d is %q, %v, want %s", tt.major, tt.minor, got, err, tt.want)
		}
	}
	if got, err := wholeDisk(dir+"/numbers", unix.Mkdev(9, 9)); err == nil {
		t.Errorf("a disk that isn't there is %q", got)
	}
	got, err := allDisks(dir + "/devices")
	if want := []string{"253:0", "8:0"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("all disks: %v, %v, want %v", got, err, want)
	}
	if got, err := disksOf("/dev/shm"); err != nil || got != nil {
		t.Errorf("the disks of a tmpfs: %v, %v, want none", got, err)
	}
}
