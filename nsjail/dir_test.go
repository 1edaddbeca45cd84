// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDir: the directory's descriptor shows what the steps wrote, between them and when everything in the sandbox is dead.
func TestDir(t *testing.T) {
	b := requireSandbox(t)
	for _, tt := range []struct {
		name   string
		args   []string
		change func(*Process)
		want   Verdict
	}{
		{"exit", []string{"daemonise"}, nil, Exited},
		{"deadline", []string{"sleep"}, func(p *Process) { p.WallTime = time.Millisecond }, WallTime},
		{"memory", []string{"memory", "100000000"}, nil, OOMKilled},
		{"not started", nil, func(p *Process) { p.Args = []string{"/nothing"} }, StartFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := b.config()
			cfg.OpenDir = "/workspace"
			before := openDescriptors(t)
			sb, err := b.spawner.New(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if sb.Dir() != -1 {
				t.Errorf("descriptor %d before the set-up is known to be done", sb.Dir())
			}
			last := process(tt.args...)
			if tt.change != nil {
				tt.change(&last)
			}
			for i, p := range []Process{process("write", "artefact"), last} {
				r, err := sb.Run(context.Background(), p)
				if err != nil {
					t.Fatal(err)
				}
				if want := []Verdict{Exited, tt.want}[i]; r.Verdict != want {
					t.Errorf("step %d: verdict %v, want %v", i, r.Verdict, want)
				}
				if got := readBeneath(t, sb.Dir(), "artefact"); len(got) == 0 {
					t.Errorf("step %d: the artefact is empty", i)
				}
				// Who reads now races with nobody.
				alive, err := readFile(sb.cg.at.pids, "cgroup.procs")
				if err != nil || len(strings.Fields(alive)) > 1 {
					t.Errorf("step %d: more than sandbox-init is alive: %q, %v", i, alive, err)
				}
			}
			if err := sb.Close(); err != nil {
				t.Fatal(err)
			}
			if after := openDescriptors(t); after > before || sb.Dir() != -1 {
				t.Errorf("%d descriptors are open, %d were; Dir is %d", after, before, sb.Dir())
			}
		})
	}
	sb := b.sandbox(t)
	if _, err := sb.Run(context.Background(), process()); err != nil || sb.Dir() != -1 {
		t.Errorf("descriptor %d, %v, want none where none was asked for", sb.Dir(), err)
	}
}

// TestDirOfFiles: the set-up is awaited by Ready where a step's files are many packets.
func TestDirOfFiles(t *testing.T) {
	b := requireSandbox(t)
	cfg := b.config()
	cfg.OpenDir = "/workspace"
	sb, err := b.spawner.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	p := process()
	p.Files = []File{{Name: "large", Data: make([]byte, 500_000), Mode: 0o644}}
	if _, err := sb.Run(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if got := readBeneath(t, sb.Dir(), "large"); len(got) != 500_000 {
		t.Errorf("%d bytes are in the file", len(got))
	}
}

// TestDirOfCancelled: whether READY came before the end or not, its descriptor is closed.
func TestDirOfCancelled(t *testing.T) {
	b := requireSandbox(t)
	cfg := b.config()
	cfg.OpenDir = "/workspace"
	before := openDescriptors(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 10 {
		sb, err := b.spawner.New(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := sb.Run(ctx, process("sleep")); err != nil || r.Verdict != Cancelled {
			t.Errorf("got %+v, %v", r, err)
		}
		if err := sb.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

func readBeneath(t *testing.T, dir int, name string) []byte {
	t.Helper()
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV})
	if err != nil {
		t.Error(fmt.Errorf("open %s: %w", name, err))
		return nil
	}
	defer unix.Close(fd)
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		t.Error(err)
	}
	return b
}
