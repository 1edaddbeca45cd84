// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSocketFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run", "daemon.sock")
	l, err := listen(path, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v, want 0660", info.Mode(), err)
	}
	if _, err := listen(path, os.Getegid()); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Errorf("a second daemon on the same socket: %v, want an error that says that one is running", err)
	}
	l.Close()

	// What a killed daemon leaves: a socket file on which nobody listens.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	l, err = listen(path, os.Getegid())
	if err != nil {
		t.Fatalf("a stale socket: %v, want it replaced", err)
	}
	l.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path, os.Getegid()); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in the way: %v, want an error", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file in the way now has %q", b)
	}
}

func TestWhoMayUse(t *testing.T) {
	const group = 4242
	for _, tt := range []struct {
		name string
		peer peer
		want bool
	}{
		{"root", peer{uid: 0, gid: 9}, true},
		{"the daemon's user", peer{uid: uint32(os.Geteuid()), gid: 9}, true},
		{"primary group", peer{uid: 77, gid: group}, true},
		{"supplementary group", peer{uid: 77, gid: 9, groups: []uint32{1, group}}, true},
		{"a stranger", peer{uid: 77, gid: 9, groups: []uint32{0, 1}}, false},
		{"unknown", peer{err: errors.New("getsockopt")}, false},
	} {
		if got := tt.peer.mayUse(group); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPeerCredentials(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := peerOf(server)
	if p.err != nil || int(p.pid) != os.Getpid() || int(p.uid) != os.Getuid() || int(p.gid) != os.Getgid() {
		t.Errorf("peer %+v, want pid %d, uid %d, gid %d", p, os.Getpid(), os.Getuid(), os.Getgid())
	}
	groups, err := os.Getgroups()
	if err != nil || len(groups) != len(p.groups) {
		t.Errorf("groups %v, want %v (%v)", p.groups, groups, err)
	}
}

// A socket on which somebody listens is not stale, even if nobody has its lock.
func TestListeningSocketIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if s, err := listen(path, os.Getegid()); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Errorf("%v, %v, want an error about a running daemon", s, err)
	}
}
