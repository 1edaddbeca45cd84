// SPDX-License-Identifier: Apache-2.0

package outputs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/nsjail"
)

// builtTree is a tmpfs of its own, mounted nowhere, with what a build may have left.
func builtTree(t *testing.T, more func(dir string) error) *os.File {
	t.Helper()
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		cannot(t, "needs root: fsopen: %v", err)
	}
	defer unix.Close(fs)
	err = errors.Join(unix.FsconfigSetString(fs, "size", "256m"), unix.FsconfigCreate(fs))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	mount := os.NewFile(uintptr(fd), "tmpfs")
	t.Cleanup(func() { mount.Close() })
	dir := fmt.Sprintf("/proc/self/fd/%d", fd)
	err = errors.Join(os.Mkdir(dir+"/bin", 0o700), os.WriteFile(dir+"/Main.class", []byte("main"), 0o600), os.WriteFile(dir+"/bin/tool", []byte("a tool"), 0o711), more(dir))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(dir + "/.") // what was mounted has no directory of its own to read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// What a build leaves is carried to the tests whole, or the job ends: a program with a part missing fails in ways that nobody can explain.
func TestListBuilt(t *testing.T) {
	for _, tt := range []struct {
		name string
		more func(dir string) error
		why  string
	}{
		{"all", func(string) error { return nil }, ""},
		{"closed directories", func(dir string) error { return errors.Join(os.Chmod(dir+"/bin", 0), os.Chmod(dir, 0)) }, ""},
		{"a link", func(dir string) error { return os.Symlink("/etc/passwd", dir+"/link") }, "(symlink)"},
		{"a FIFO", func(dir string) error { return unix.Mkfifo(dir+"/pipe", 0o644) }, "(fifo)"},
		{"a socket", func(dir string) error { return unix.Mknod(dir+"/socket", unix.S_IFSOCK|0o644, 0) }, "(socket)"},
		{"too large", func(dir string) error { return os.Truncate(dir+"/Main.class", maxBuiltSize+1) }, "(too_large)"},
		{"too large together", func(dir string) error {
			return errors.Join(os.Truncate(dir+"/Main.class", maxBuiltSize/2), os.Truncate(dir+"/bin/tool", maxBuiltSize/2+1))
		}, "(no_room)"},
		{"more than its size", func(dir string) error {
			f, err := os.OpenFile(dir+"/Main.class", os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, MaxBuilt+1)
		}, "takes 64 MiB of memory"},
		{"too many", func(dir string) error { return touchMany(dir, maxBuiltFiles-1, 1) }, "(too_many)"},
		{"too long names", func(dir string) error { return touchMany(dir, maxBuiltFiles-2, 255) }, ""},
		{"too long names together", func(dir string) error {
			if err := os.Mkdir(dir+"/long", 0o755); err != nil {
				return err
			}
			return touchMany(dir+"/long", maxBuiltFiles-2, 255)
		}, "names have"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := builtTree(t, tt.more)
			files, why := ListBuilt(int(dir.Fd()))
			if (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) {
				t.Fatalf("%q, want %q", why, tt.why)
			}
			if why != "" {
				return
			}
			want := []nsjail.File{{Name: "Main.class", Mode: 0o644, Copy: 4}, {Name: "bin/tool", Mode: 0o755, Copy: 6}}
			for i, f := range want {
				if got := files[i]; got.Name != f.Name || got.Mode != f.Mode || got.Copy != f.Copy || got.Data != nil {
					t.Errorf("file %+v, want %+v", got, f)
				}
			}
			for name, mode := range map[string]uint32{".": 0o755, "bin": 0o755, "Main.class": 0o644, "bin/tool": 0o644} {
				var st unix.Stat_t
				if err := unix.Fstatat(int(dir.Fd()), name, &st, 0); err != nil || st.Mode&0o7777 != mode {
					t.Errorf("%s has the mode %o, want %o for those who copy (%v)", name, st.Mode&0o7777, mode, err)
				}
			}
		})
	}
}

// touchMany makes n files in dir whose names have so many bytes, or as many as it takes to tell them apart.
func touchMany(dir string, n, length int) error {
	for i := range n {
		name := fmt.Sprintf("f%0*d", length-1, i)
		if err := os.WriteFile(dir+"/"+name, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}
