// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestNothingInherited starts a spawner from a thread that has what a daemon may have by accident, and looks from inside.
func TestNothingInherited(t *testing.T) {
	b := requireSandbox(t)
	canary := fmt.Sprintf("canary-%x", os.Getpid()*7919) // not a constant: sandbox-init maps this executable
	t.Setenv("CCEE_TEST_SECRET", canary)
	spawner := strangeSpawner(t, b)
	odd := &box{root: b.root, cgroups: b.cgroups, spawner: spawner}

	stat := string(odd.run(t, process("show", "/proc/self/stat")).Stdout.Data)
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // from the third field on; see proc_pid_stat(5)
	for _, tt := range []struct {
		name  string
		field int
		want  string
	}{
		{"controlling terminal", 7, "0"}, {"nice", 19, "0"}, {"real-time priority", 40, "0"}, {"scheduling policy", 41, "0"},
	} {
		if got := f[tt.field-3]; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	status := string(odd.run(t, process("show", "/proc/self/status")).Stdout.Data)
	for _, line := range []string{"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000", "Umask:\t0022", "Groups:\t \n"} {
		if !strings.Contains(status, line) {
			t.Errorf("/proc/self/status has no line %q:\n%s", line, status)
		}
	}
	for _, tt := range []struct{ file, want string }{
		{"/proc/self/personality", "00000000\n"}, {"/proc/self/environ", "PATH=/\x00A=b c\x00"},
	} {
		if got := string(odd.run(t, process("show", tt.file)).Stdout.Data); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.file, got, tt.want)
		}
	}
	if found, err := memoryHas(spawner.cmd.Process.Pid, canary); err != nil || found {
		t.Errorf("the daemon's environment is in sandbox-init's memory: %v, %v", found, err)
	}
	if found, err := memoryHas(os.Getpid(), canary); err != nil || !found { // else the search is worth nothing
		t.Errorf("the search finds it in our own memory: %v, %v", found, err)
	}
}

// strangeSpawner starts a spawner under another priority, scheduler, personality, umask and session.
func strangeSpawner(t *testing.T, b *box) *Spawner {
	t.Helper()
	type started struct {
		s   *Spawner
		err error
	}
	done := make(chan started)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 7)
		if err == nil {
			const batch = 3
			err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: batch, Nice: 7}, 0)
		}
		if err == nil {
			const addrNoRandomize = 0x0040000
			_, _, errno := unix.Syscall(unix.SYS_PERSONALITY, addrNoRandomize, 0, 0)
			if errno != 0 {
				err = errno
			}
		}
		if err != nil {
			done <- started{nil, err}
			return
		}
		s, err := newSpawner("/proc/self/exe", b.cgroups, b.root)
		done <- started{s, err}
	}()
	got := patience.Receive(t, done, "the spawner starts")
	if got.err != nil {
		t.Fatal(got.err)
	}
	t.Cleanup(func() {
		if err := got.s.Close(); err != nil {
			t.Error(err)
		}
	})
	return got.s
}

// memoryHas looks for text in all readable memory of a process.
func memoryHas(pid int, text string) (bool, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return false, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false, err
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		from, to, _ := strings.Cut(f[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 63)
		end, err2 := strconv.ParseUint(to, 16, 63)
		if err1 != nil || err2 != nil || f[1][0] != 'r' || end-start > 1<<30 {
			continue // beyond 2^63: the kernel's own pages
		}
		chunk := make([]byte, end-start)
		n, _ := mem.ReadAt(chunk, int64(start))
		if bytes.Contains(chunk[:n], []byte(text)) {
			return true, nil
		}
	}
	return false, nil
}
