// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limitRow is one program against one limit.
type limitRow struct {
	name   string
	args   []string
	change func(*Config, *Process)
	want   Verdict
	stdout string
}

func (b *box) tryLimits(t *testing.T, rows []limitRow) {
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			cfg, p := b.config(), process(tt.args...)
			if tt.change != nil {
				tt.change(&cfg, &p)
			}
			r := b.runIn(t, cfg, p)
			if r.Verdict != tt.want || string(r.Stdout.Data) != tt.stdout {
				t.Errorf("got verdict %v, stdout %q, %+v, want verdict %v, stdout %q", r.Verdict, r.Stdout.Data, r, tt.want, tt.stdout)
			}
		})
	}
}

func rlimit(kind int, n uint64) func(*Config, *Process) {
	return func(_ *Config, p *Process) {
		p.Rlimits = slices.DeleteFunc(slices.Clone(p.Rlimits), func(r Rlimit) bool { return r.Type == kind })
		p.Rlimits = append(p.Rlimits, Rlimit{Type: kind, Soft: n, Hard: n})
	}
}

// TestLimits has each limit that is exact just below it, at it and just above it.
func TestLimits(t *testing.T) {
	b := requireSandbox(t)
	const mib = 1 << 20
	rows := []limitRow{
		{"file size below", []string{"fill", "f", "1048575"}, nil, Exited, "fill: OK\n"},
		{"file size at", []string{"fill", "f", "1048576"}, nil, Exited, "fill: OK\n"},
		{"file size above", []string{"fill", "f", "1048577"}, nil, FileSize, ""},
		// 64 with the three that are open.
		{"open files below", []string{"open", "60"}, nil, Exited, "open: OK\n"},
		{"open files at", []string{"open", "61"}, nil, Exited, "open: OK\n"},
		{"open files above", []string{"open", "62"}, nil, Exited, "open: Too many open files\n"},
		// 32 with the program itself.
		{"pids below", []string{"fork", "30"}, nil, Exited, "forked\n"},
		{"pids at", []string{"fork", "31"}, nil, Exited, "forked\n"},
		{"pids above", []string{"fork", "32"}, nil, PidsLimit, "fork 31: Resource temporarily unavailable\n"},
		// Above the program's name are eight bytes, and the stack grows in pages.
		{"stack below", []string{"stack", fmt.Sprint(mib - 4096)}, rlimit(unix.RLIMIT_STACK, mib), Exited, "stack: OK\n"},
		{"stack at", []string{"stack", fmt.Sprint(mib - 16)}, rlimit(unix.RLIMIT_STACK, mib), Exited, "stack: OK\n"},
		{"stack above", []string{"stack", fmt.Sprint(mib + 1)}, rlimit(unix.RLIMIT_STACK, mib), Signaled, ""},
	}
	for _, m := range b.config().Mounts {
		file, full := m.Destination+"/f", "fill: No space left on device\n"
		large := rlimit(unix.RLIMIT_FSIZE, 1<<30)
		rows = append(rows,
			limitRow{"bytes below in " + m.Destination, []string{"fill", file, fmt.Sprint(m.Size - 1)}, large, Exited, "fill: OK\n"},
			limitRow{"bytes at in " + m.Destination, []string{"fill", file, fmt.Sprint(m.Size)}, large, Exited, "fill: OK\n"},
			limitRow{"bytes above in " + m.Destination, []string{"fill", file, fmt.Sprint(m.Size + 1)}, large, Exited, full},
			// The directory is one.
			limitRow{"inodes below in " + m.Destination, []string{"inodes", m.Destination, fmt.Sprint(m.Inodes - 2)}, nil, Exited, "inodes: OK\n"},
			limitRow{"inodes at in " + m.Destination, []string{"inodes", m.Destination, fmt.Sprint(m.Inodes - 1)}, nil, Exited, "inodes: OK\n"},
			limitRow{"inodes above in " + m.Destination, []string{"inodes", m.Destination, fmt.Sprint(m.Inodes)}, nil, Exited,
				"inodes: No space left on device\n"},
		)
	}
	b.tryLimits(t, rows)
}

// TestTimeLimits: CPU time is that of all processes together, and nothing is killed before its time. How exact the verdict is
// when a program ends by itself is in TestClassify.
func TestTimeLimits(t *testing.T) {
	b := requireSandbox(t)
	cpu := func(_ *Config, p *Process) { p.CPUTime = 400 * time.Millisecond }
	ample := func(_ *Config, p *Process) { p.CPUTime = slow(400 * time.Millisecond) } // a fork costs CPU time too
	b.tryLimits(t, []limitRow{
		{"CPU time below", []string{"burn", "200", "1"}, ample, Exited, ""},
		{"CPU time at", []string{"burn", "400", "1"}, cpu, CPUTime, ""},
		{"CPU time above", []string{"burn", "500", "1"}, cpu, CPUTime, ""},
		{"CPU time of four below", []string{"burn", "50", "4"}, ample, Exited, ""},
		{"CPU time of four above", []string{"burn", "120", "4"}, cpu, CPUTime, ""},
	})
	p := process("sleep")
	p.WallTime = 30 * time.Millisecond
	if r := b.run(t, p); r.Verdict != WallTime || r.Usage.Wall < p.WallTime {
		t.Errorf("killed after %v of %v: %+v", r.Usage.Wall, p.WallTime, r)
	}
	p = process("spin")
	p.CPUTime = 30 * time.Millisecond
	if r := b.run(t, p); r.Verdict != CPUTime || r.Usage.User+r.Usage.System < p.CPUTime {
		t.Errorf("killed after %v of %v: %+v", r.Usage.User+r.Usage.System, p.CPUTime, r)
	}
}

// TestTinyLimits: what can't even start under its limits is told from what crashes, and neither is a fault of ours.
func TestTinyLimits(t *testing.T) {
	b := requireSandbox(t)
	file := func(size int) func(*Config, *Process) {
		return func(c *Config, p *Process) {
			c.Mounts[0].Size, c.Mounts[0].Inodes = 4096, 2
			p.Files = []File{{Name: "f", Data: make([]byte, size), Mode: 0o644}}
		}
	}
	hello := []string{"echo", "hello"}
	b.tryLimits(t, []limitRow{
		{"a page of memory", hello, func(c *Config, p *Process) { c.Resources.MemoryMax, p.Resources.MemoryMax = 4096, 4096 }, OOMKilled, ""},
		{"a page of memory, after the set-up", hello, func(_ *Config, p *Process) { p.Resources.MemoryMax = 4096 }, OOMKilled, ""},
		{"too little memory for the set-up", hello, func(c *Config, p *Process) {
			c.Resources.MemoryMax, p.Resources.MemoryMax = 4096, 4096
			c.MaskedPaths = slices.Repeat([]string{"/proc/version"}, 1000) // a mount each
		}, OOMKilled, ""},
		{"too little memory for execve", hello, func(c *Config, p *Process) { c.Resources.MemoryMax, p.Resources.MemoryMax = 65536, 65536 }, OOMKilled, ""},
		{"too little memory for its files", hello, func(_ *Config, p *Process) {
			p.Resources.MemoryMax, p.Files = 1<<20, []File{{Name: "f", Data: make([]byte, 4<<20), Mode: 0o644}}
		}, OOMKilled, ""},
		{"a MiB of memory", hello, func(c *Config, p *Process) { c.Resources.MemoryMax, p.Resources.MemoryMax = 1<<20, 1<<20 }, Exited, "hello\n"},
		{"one process", hello, func(c *Config, p *Process) { c.Resources.PidsMax, p.Resources.PidsMax = 1, 1 }, Exited, "hello\n"},
		{"one process that forks", []string{"fork", "1"}, func(_ *Config, p *Process) { p.Resources.PidsMax = 1 }, PidsLimit,
			"fork 0: Resource temporarily unavailable\n"},
		{"no open files", hello, rlimit(unix.RLIMIT_NOFILE, 0), Exited, "hello\n"},
		{"no file size", hello, rlimit(unix.RLIMIT_FSIZE, 0), Exited, "hello\n"},
		{"no file size, and a file", []string{"fill", "f", "1"}, rlimit(unix.RLIMIT_FSIZE, 0), FileSize, ""},
		// execve can't go back at that point: the kernel kills.
		{"a page of stack", hello, rlimit(unix.RLIMIT_STACK, 4096), Signaled, ""},
		{"arguments larger than the stack", append(hello, strings.Repeat("x", 70_000)), rlimit(unix.RLIMIT_STACK, 65536), StartFailed, ""},
		{"a page of workspace for a page", hello, file(4096), Exited, "hello\n"},
		{"a page of workspace for more", hello, file(4097), StartFailed, ""},
		{"no inodes", hello, func(c *Config, p *Process) { file(1)(c, p); c.Mounts[0].Inodes = 1 }, StartFailed, ""},
		{"a nanosecond", []string{"sleep"}, func(_ *Config, p *Process) { p.WallTime = 1 }, WallTime, ""},
		{"a nanosecond of CPU time", nil, func(_ *Config, p *Process) { p.CPUTime = 1 }, CPUTime, ""},
	})
}

// TestRefusedForks: a fork bomb leaves its trace, however it ends.
func TestRefusedForks(t *testing.T) {
	b := requireSandbox(t)
	p := process("forkbomb")
	p.WallTime, p.Resources.MemoryMax = slow(200*time.Millisecond), 1<<30
	r := b.run(t, p)
	if i := slices.IndexFunc(r.Evidence, func(e Evidence) bool { return e.Source == "pids.events max" }); i < 0 ||
		r.Evidence[i].Value < 1 || r.Evidence[i].Limit != p.Resources.PidsMax {
		t.Errorf("got %+v, want the forks that pids.max refused", r)
	}
}

// TestCPURate holds cpu.max to what the kernel has counted: a quarter of a core is that, for one process and for four, and
// what the kill lifts at the end does not count.
func TestCPURate(t *testing.T) {
	b := requireSandbox(t)
	for _, processes := range []string{"1", "4"} {
		p := process("burn", "1000000", processes)
		p.Resources.CPUMillicores, p.WallTime, p.CPUTime = 250, 4*time.Second, time.Minute
		sb := b.sandbox(t)
		r := b.runStep(t, sb, p)
		share := (r.Usage.User + r.Usage.System).Seconds() / r.Usage.Wall.Seconds()
		periods, err1 := readValue(sb.cg.at.cpu, "cpu.stat", "nr_periods")
		throttled, err2 := readValue(sb.cg.at.cpu, "cpu.stat", "nr_throttled")
		t.Logf("%s processes: %.1f %% of a core, throttled in %d of %d periods", processes, 100*share, throttled, periods)
		if err1 != nil || err2 != nil || r.Verdict != WallTime {
			t.Errorf("%+v, %v, %v", r, err1, err2)
		}
		// Where the host was too busy to give what was allowed, there was little to throttle.
		if starved := throttled < periods*3/4; share > 0.30 || share < 0.20 && !starved {
			t.Errorf("%s processes: %.1f %% of a core, want 25 +- 5", processes, 100*share)
		}
	}
}
