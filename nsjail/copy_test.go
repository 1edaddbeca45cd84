// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// retired returns a sandbox that is retired after its program has written "artefact" into its workspace, with more beside it.
func (b *box) retired(t *testing.T, more func(dir string)) *Sandbox {
	t.Helper()
	cfg := b.config()
	cfg.OpenDir = "/workspace"
	sb, err := b.spawner.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	if r, err := sb.Run(context.Background(), process("write", "artefact")); err != nil || r.Verdict != Exited {
		t.Fatalf("%+v, %v", r, err)
	}
	sb.Retire()
	if more != nil { // as the sandbox's user: nobody else's ids are mapped there
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for _, uid := range []int{hostID(cfg.UIDMappings, 1000), 0} {
			if err := errors.Join(unix.Setfsgid(uid), unix.Setfsuid(uid)); err != nil {
				t.Fatal(err)
			}
			if uid != 0 {
				more(fmt.Sprintf("/proc/self/fd/%d", sb.Dir()))
			}
		}
	}
	return sb
}

// elsewhere returns a sandbox with other host ids.
func (b *box) elsewhere(t *testing.T) *Sandbox {
	t.Helper()
	cfg := b.config()
	for _, ids := range [][]IDMap{cfg.UIDMappings, cfg.GIDMappings} {
		ids[0].HostID, ids[1].HostID = 1_879_000_010, 1_879_000_011
	}
	cfg.OpenDir = "/workspace"
	sb, err := b.spawner.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// TestCopy: what one sandbox has left is another's to change, and the next one's again as it was. The two have ids of their own.
func TestCopy(t *testing.T) {
	b := requireSandbox(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // more than a packet
	from := b.retired(t, func(dir string) {
		err := errors.Join(os.Mkdir(dir+"/sub", 0o755), os.WriteFile(dir+"/sub/large", large, 0o644))
		if err != nil {
			t.Fatal(err)
		}
	})
	if procs, err := readFile(from.cg.at.pids, "cgroup.procs"); err != nil || procs != "" {
		t.Errorf("processes of a retired sandbox: %q, %v", procs, err)
	}
	artefact := readBeneath(t, from.Dir(), "artefact")
	for range 2 {
		sb := b.elsewhere(t)
		p := process("write", "sub/large") // which appends
		p.Source = from.Dir()
		p.Files = []File{{Name: "artefact", Mode: 0o755, Copy: int64(len(artefact))}, {Name: "sub/large", Mode: 0o644, Copy: int64(len(large))}}
		if r, err := sb.Run(context.Background(), p); err != nil || r.Verdict != Exited || r.ExitCode != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if got := readBeneath(t, sb.Dir(), "artefact"); !bytes.Equal(got, artefact) {
			t.Errorf("%q was copied, want %q", got, artefact)
		}
		var st unix.Stat_t
		if err := unix.Fstatat(sb.Dir(), "artefact", &st, 0); err != nil || st.Uid != 1_879_000_011 || st.Mode != unix.S_IFREG|0o755 {
			t.Errorf("uid %d, mode %o, %v", st.Uid, st.Mode, err)
		}
		if got := readBeneath(t, from.Dir(), "sub/large"); !bytes.Equal(got, large) {
			t.Errorf("the original has changed: %d bytes, want %d", len(got), len(large))
		}
	}
}

// TestCopyStaysBeneath has a tree that was made to be copied wrongly.
func TestCopyStaysBeneath(t *testing.T) {
	b := requireSandbox(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	from := b.retired(t, func(dir string) {
		err := errors.Join(os.Symlink(secret, dir+"/link"), os.Symlink("artefact", dir+"/near"), os.Symlink(filepath.Dir(secret), dir+"/up"),
			unix.Mkfifo(dir+"/fifo", 0o644), os.WriteFile(dir+"/mine", []byte("x"), 0o600), os.WriteFile(dir+"/short", []byte("x"), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	})
	for name, want := range map[string]unix.Errno{
		"link": unix.ELOOP, "near": unix.ELOOP, "up/secret": unix.ELOOP, "fifo": unix.EINVAL, "mine": unix.EACCES, "none": unix.ENOENT, "short": unix.EIO,
	} {
		p := process("write", "x")
		p.Source, p.Files = from.Dir(), []File{{Name: name, Mode: 0o644, Copy: 6}}
		r, err := b.elsewhere(t).Run(context.Background(), p)
		if err == nil {
			err = r.Err
		}
		if r.Verdict != StartFailed || !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), "copy file") {
			t.Errorf("%s: verdict %v, %v, want %v", name, r.Verdict, err, want)
		}
	}
}

// TestCopyIsCharged: who gets the copy pays for it, not who has the original.
func TestCopyIsCharged(t *testing.T) {
	b := requireSandbox(t)
	const size = 6 << 20
	from := b.retired(t, func(dir string) {
		if err := os.WriteFile(dir+"/large", make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	p := process("write", "x")
	p.Source, p.Files = from.Dir(), []File{{Name: "large", Mode: 0o644, Copy: size}}
	r, err := b.elsewhere(t).Run(context.Background(), p)
	if err != nil || r.Verdict != Exited || r.Usage.MemoryPeak < size {
		t.Errorf("verdict %v, %v, peak %d, want at least %d", r.Verdict, err, r.Usage.MemoryPeak, size)
	}
	p.Resources.MemoryMax = 4 << 20
	if r, err = b.elsewhere(t).Run(context.Background(), p); err != nil || r.Verdict != OOMKilled {
		t.Errorf("verdict %v, %v, want killed for its memory", r.Verdict, err)
	}
}
