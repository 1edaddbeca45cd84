// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// nestedEpolls lists this process's epolls that watch an epoll; see proc_pid_fdinfo(5).
func nestedEpolls(t *testing.T) (nested []string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		info, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(info)) {
			f := strings.Fields(line)
			if len(f) < 2 || f[0] != "tfd:" {
				continue
			}
			if target, err := os.Readlink("/proc/self/fd/" + f[1]); err == nil && target == "anon_inode:[eventpoll]" {
				nested = append(nested, fd.Name()+" watches "+f[1])
			}
		}
	}
	return nested
}

// TestNoNestedEpoll: while programs run no epoll of ours is in an epoll. To add to such a one takes a mutex that the host has once.
func TestNoNestedEpoll(t *testing.T) {
	b := requireSandbox(t)
	seen := 0
	look := func(what string) func(Chunk, []byte) {
		return func(Chunk, []byte) {
			seen++
			if nested := nestedEpolls(t); nested != nil {
				t.Errorf("%s: %v", what, nested)
			}
		}
	}
	for _, interleave := range []bool{false, true} {
		p := process("echo", "x")
		p.Interleave, p.OnOutput = interleave, look(fmt.Sprintf("interleave %v", interleave))
		b.run(t, p)
	}
	sb := b.sandbox(t)
	p := pausing(1, "echo", "x")
	p.OnOutput = look("before a pause")
	b.runStep(t, sb, p)
	p = goingOn()
	p.OnOutput = look("after a pause")
	b.runStep(t, sb, p)
	if seen < 4 {
		t.Errorf("looked %d times, want 4", seen)
	}
}

// TestNestedEpollIsSeen: what TestNoNestedEpoll looks with finds one.
func TestNestedEpollIsSeen(t *testing.T) {
	var fds [2]int
	for i := range fds {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds[i] = fd
	}
	if err := unix.EpollCtl(fds[0], unix.EPOLL_CTL_ADD, fds[1], &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d watches %d", fds[0], fds[1])
	if nested := nestedEpolls(t); !slices.Contains(nested, want) {
		t.Errorf("found %v, want %s", nested, want)
	}
}

// TestGlobalLocks: a job starts as fast beside one that holds the host's lock of nested epolls as beside one that only uses as much CPU
// time.
func TestGlobalLocks(t *testing.T) {
	b := requireSandbox(t)
	const harm, tries = 3, 3
	var abuse, control time.Duration
	for range tries { // the machine does other things too
		if abuse, control = b.p99Beside(t, "nested epoll"), b.p99Beside(t, "burn"); abuse <= harm*control {
			t.Logf("p99 of a start %v, beside the control %v", abuse, control)
			return
		}
	}
	t.Errorf("p99 of a start %v, beside a program that uses as much CPU time %v: more than %d times", abuse, control, harm)
}

// p99Beside is the 99th percentile of how long a job takes to start, beside an abuse of package shared that has begun.
func (b *box) p99Beside(t *testing.T, abuse string) time.Duration {
	t.Helper()
	const starts, processes = 100, 60
	cfg, p := b.config(), process("sandbox-abuse", abuse, strconv.Itoa(processes))
	for _, ids := range [][]IDMap{cfg.UIDMappings, cfg.GIDMappings} {
		ids[0].HostID, ids[1].HostID = ids[0].HostID+2, ids[1].HostID+2
	}
	cfg.Resources = Resources{MemoryMax: 128 << 20, PidsMax: 128, CPUMillicores: 1000}
	p.Resources = cfg.Resources
	rlimit(unix.RLIMIT_NOFILE, 1024)(nil, &p)
	ready := make(chan string, 1)
	p.OnOutput = func(_ Chunk, b []byte) {
		select {
		case ready <- string(b):
		default:
		}
	}
	sb := b.sandboxOf(t, cfg)
	ctx, cancel := context.WithCancel(patience.Context(t))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if r, err := sb.Run(ctx, p); err != nil || r.Verdict != Cancelled {
			t.Errorf("%s: %+v, %v", abuse, r, err)
		}
	}()
	defer func() { cancel(); <-ended }()
	select {
	case word := <-ready:
		if word != "ready\n" {
			t.Fatalf("%s: %q", abuse, word)
		}
	case <-ended:
		t.Fatalf("%s: it ended before it began", abuse)
	}
	var took []time.Duration
	for range starts {
		began := time.Now()
		b.run(t, process())
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[starts*99/100-1]
}
