// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/nsjail/shared"
	"github.com/ccee-dev/ccee/seccomp"
)

// withShared has do abuse this machine from sandboxes as jobs have them.
func withShared(t *testing.T, do func(shared.Host)) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root")
	}
	root, err := sharedRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(root); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the sandbox's root is not the host's
			t.Fatal(err)
		}
	}
	sources, err := filepath.Glob("../nsjail/shared/*.c")
	if err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(t.TempDir(), "main.c")
	if err := os.WriteFile(main, []byte("int main(void) { return 1; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-O1", "-s", "-static", "-pthread", "-o", filepath.Join(root, "abuse"), main}, sources...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	err = withSelfTest(seccomp.Default(), root, func(s selfTest) error {
		do(s.sharedHost("/abuse"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// abuse is the one of that name.
func abuse(t *testing.T, name string) shared.Abuse {
	t.Helper()
	for _, a := range shared.Abuses {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("there is no abuse %q", name)
	return shared.Abuse{}
}

// TestShared: what holds others up is found: with a canary that adds an epoll to an epoll, as a daemon must not, the abuse of nested epolls
// is harm, and with one that doesn't it isn't. What the policy refuses is not measured.
func TestShared(t *testing.T) {
	withShared(t, func(h shared.Host) {
		try := func(h shared.Host, name string) shared.Outcome {
			o, err := shared.Try(t.Context(), h, abuse(t, name))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: refused %q, worst %+v", name, o.Refused, o.Worst())
			return o
		}
		if o := try(h, "syncfs"); o.Refused == "" || o.Harms() {
			t.Errorf("what is refused: %+v", o)
		}
		if o := try(h, "nested epoll"); o.Harms() {
			t.Errorf("beside a canary without nested epolls: %+v", o.Worst())
		}
		if o := try(h, "CPU affinity"); o.Harms() {
			t.Errorf("calls that are paced: %+v", o.Worst())
		}
		h.Start = nestEpoll
		if o := try(h, "nested epoll"); !o.Harms() {
			t.Errorf("beside a canary with nested epolls: %+v, want harm", o.Factors)
		}
	})
}

// nestEpoll takes the host's one mutex for nested epolls, as starts that use them do.
func nestEpoll(context.Context) error {
	outer, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(outer)
	for range 100 { // so often that each window meets who holds the mutex, also where the host is busy
		inner, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err == nil {
			err = unix.EpollCtl(outer, unix.EPOLL_CTL_ADD, inner, &unix.EpollEvent{Events: unix.EPOLLIN})
			unix.Close(inner)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestSharedAll: each abuse begins, or is refused with an errno.
func TestSharedAll(t *testing.T) {
	withShared(t, func(h shared.Host) {
		for _, a := range shared.Abuses {
			refused, err := shared.Begin(patience.Context(t), h, a)
			t.Logf("%s: refused %q", a.Name, refused)
			if err != nil {
				t.Errorf("%s: %v", a.Name, err)
			}
		}
	})
}
