// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

const forever = "1099511627776" // bytes; more than there is

// batch is what the kernel may have charged ahead: 64 pages for each CPU that the sandbox ran on, and it gives them back to
// whom they are missing a moment too late. All that is said of memory here is exact but for this.
func batch() int64 { return 64 * int64(os.Getpagesize()) * int64(runtime.NumCPU()) }

// program is what testdata/limits.c needs for itself, in the kernel and out of it, before it takes anything.
const program = 256 << 10

// TestInitMemory: what is added to a memory limit is what sandbox-init is charged, and not what the kernel charged ahead.
func TestInitMemory(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	if err := sb.Ready(); err != nil {
		t.Fatal(err)
	}
	charged := chargedAlone(t, sb)
	t.Logf("sandbox-init is charged %d bytes", charged)
	if charged < initMemory/2 || charged > initMemory {
		t.Errorf("sandbox-init is charged %d bytes, want at most %d, and not much less", charged, initMemory)
	}
	before := anonymous(t, sb)
	p := process()
	p.Files = []File{{Name: "f", Data: make([]byte, 150_000), Mode: 0o644}}
	b.runStep(t, sb, p)
	if more := anonymous(t, sb) - before; more > 32<<10 {
		t.Errorf("after a program with large files sandbox-init has %d bytes more", more)
	}
}

// chargedAlone is what a sandbox in which nothing runs is charged, without what the kernel charged ahead. On v1 the kernel gives that back
// when it is told to, but on each CPU when that CPU comes to it, and not at all while it is busy giving back another cgroup's: so tell it
// until the figure stands still at what a sandbox may have, or for long.
func chargedAlone(t *testing.T, sb *Sandbox) int64 {
	t.Helper()
	read := func(file, key string) int64 {
		v, err := readValue(sb.cg.at.memory, file, key)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if sb.cg.at.v2() {
		return read("memory.stat", "anon") + read("memory.stat", "kernel")
	}
	for end := time.Now().Add(patience.Long()); ; runtime.Gosched() {
		if err := writeFile(sb.cg.at.memory, "memory.force_empty", "0"); err != nil {
			t.Fatal(err)
		}
		if v := read("memory.usage_in_bytes", ""); v <= initMemory || time.Now().After(end) {
			return v
		}
	}
}

// anonymous is how much memory sandbox-init has of its own.
func anonymous(t *testing.T, sb *Sandbox) int64 {
	t.Helper()
	number := func(dir, file, key string) int64 {
		text, err := readFile(dir, file)
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); f[0] == key {
				n, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
		t.Fatalf("no %s in %s/%s: %v, %q", key, dir, file, err, text)
		return 0
	}
	pid := number("/proc/self/fdinfo", fmt.Sprint(sb.pidfd), "Pid:")
	return number(fmt.Sprintf("/proc/%d", pid), "smaps_rollup", "Anonymous:") << 10
}

// TestMemoryLimit: a job may have what its limit says, and no page more.
func TestMemoryLimit(t *testing.T) {
	b := requireSandbox(t)
	const limit = 16 << 20
	for _, form := range []string{"anon", "shared", "memfd", "workspace", "tmp", "shm", "sysv"} {
		for _, tt := range []struct {
			name  string
			bytes int64
			want  Verdict
		}{
			// A page of page tables for each 512 pages, and as much for the file's index.
			{"below", (limit - program - 2*limit/512 - batch()) &^ (256<<10 - 1), Exited},
			{"at", limit, OOMKilled}, // the program itself is in it
			{"above", limit + 1<<20, OOMKilled},
		} {
			t.Run(form+" "+tt.name, func(t *testing.T) {
				cfg, p := roomy(b.config(), limit, "take", form, fmt.Sprint(tt.bytes))
				r := b.runIn(t, cfg, p)
				if r.Verdict != tt.want || r.Usage.MemoryPeak > limit || r.Usage.MemoryPeak < min(tt.bytes, limit)-batch() {
					t.Errorf("%d bytes of %d: verdict %v, peak %d, %+v, want %d", tt.bytes, limit, r.Verdict, r.Usage.MemoryPeak, r, tt.want)
				}
			})
		}
	}
}

// TestMemoryForms: memory is charged in whatever form a program takes it, and the limit ends that. The filter allows everything
// here. What the kernel does not charge is for the policy to refuse: access control lists of files on a tmpfs (setxattr).
func TestMemoryForms(t *testing.T) {
	b := withoutLandlock(t) // which holds what the memory limit must
	for _, tt := range []struct {
		form        string
		held, limit int64 // bytes
	}{
		{"anon", 8 << 20, 16 << 20},
		{"shared", 8 << 20, 16 << 20},
		{"workspace", 8 << 20, 16 << 20},
		{"tmp", 8 << 20, 16 << 20},
		{"shm", 8 << 20, 16 << 20},
		{"memfd", 8 << 20, 16 << 20},
		{"sysv", 8 << 20, 16 << 20},
		{"pipe", 8 << 20, 16 << 20},
		{"socket", 8 << 20, 16 << 20},
		{"thread", 8 << 20, 16 << 20},
		{"pagetable", 4 << 20, 16 << 20},
		// Small objects: in what the kernel needs for them there is more than is counted here.
		{"inode", 2 << 20, 8 << 20},
		{"eventfd", 1 << 20, 8 << 20},
		{"timerfd", 1 << 20, 8 << 20},
		{"epoll", 1 << 20, 8 << 20},
		{"open", 1 << 20, 8 << 20},
		{"vma", 2 << 20, 8 << 20},
		{"mqueue", 512 << 10, 8 << 20}, // RLIMIT_MSGQUEUE is 800 KiB: the processes that try on are charged
		{"xattr", 2 << 20, 8 << 20},
	} {
		t.Run(tt.form, func(t *testing.T) { b.tryForm(t, tt.form, tt.held, tt.limit) })
	}
}

func (b *box) tryForm(t *testing.T, form string, held, limit int64) {
	cfg, p := roomy(b.config(), limit, "take", form, fmt.Sprint(held), "hold")
	sb := b.sandboxOf(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var charged int64
	var chargedErr error
	p.OnOutput = func(Chunk, []byte) {
		charged, chargedErr = sb.cg.memoryCurrent()
		cancel()
	}
	r, err := sb.Run(ctx, p)
	if err != nil || chargedErr != nil {
		t.Fatal(err, chargedErr)
	}
	if string(r.Stdout.Data) == "Operation not supported after 0\n" && form == "xattr" {
		return // before Linux 6.6
	}
	var took int64
	if _, err := fmt.Sscanf(string(r.Stdout.Data), "took %d", &took); err != nil || took < held || charged < took {
		t.Errorf("%q: charged %d bytes, %+v", r.Stdout.Data, charged, r)
	}
	cfg, p = roomy(b.config(), limit, "take", form, forever)
	if r := b.runIn(t, cfg, p); r.Verdict != OOMKilled || r.Usage.MemoryPeak > limit {
		t.Errorf("without end: %+v, peak %d, want OOMKilled", r, r.Usage.MemoryPeak)
	}
}

// TestMemoryOfFilesRead: what is only read can be read again; the page cache never counts against a job.
func TestMemoryOfFilesRead(t *testing.T) {
	b := requireSandbox(t)
	big := b.root + "/big"
	if err := os.WriteFile(big, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(big)
	if err := os.Truncate(big, 64<<20); err != nil {
		t.Fatal(err)
	}
	p := process("read", "/big")
	p.Resources.MemoryMax = 8 << 20
	if r := b.run(t, p); string(r.Stdout.Data) != "read: OK\n" || r.Usage.MemoryPeak > p.Resources.MemoryMax {
		t.Errorf("got %q, %+v", r.Stdout.Data, r)
	}
}

// TestMemoryOutlivesProcess: a System V segment stays when its processes are gone. It is charged to the next step too, and
// goes with the sandbox.
func TestMemoryOutlivesProcess(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	if r := b.runStep(t, sb, process("take", "sysv", fmt.Sprint(32<<20))); r.Verdict != Exited {
		t.Fatalf("first: %+v", r)
	}
	if r := b.runStep(t, sb, process("take", "anon", fmt.Sprint(40<<20))); r.Verdict != OOMKilled {
		t.Errorf("a step whose limit is used by the one before: %+v, want OOMKilled", r)
	}
}

// roomy is a sandbox and a program that come to the memory limit before any other.
func roomy(cfg Config, memory int64, args ...string) (Config, Process) {
	for i := range cfg.Mounts {
		cfg.Mounts[i].Size, cfg.Mounts[i].Inodes = 1<<30, 1<<20
	}
	p := process(args...)
	p.Resources.MemoryMax, p.Resources.PidsMax = memory, 200
	cfg.Resources = p.Resources
	rlimit(unix.RLIMIT_FSIZE, 1<<40)(nil, &p)
	rlimit(unix.RLIMIT_NOFILE, 4096)(nil, &p)
	return cfg, p
}
