// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/seccomp"
)

const keyctlFromPython = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for i in range(3):
    libc.syscall(250, 0x10, -3)
    print(os.strerror(ctypes.get_errno()))
`

// TestDeniedSyscalls: a refused call is named, with its first arguments and its count, in the result, the metrics and the log.
func TestDeniedSyscalls(t *testing.T) {
	s := realDaemon(t, nil)
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: keyctlFromPython}))
	if got, want := string(step.Stdout.Data), strings.Repeat("Operation not permitted\n", 3); got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	if len(step.DeniedSyscalls) != 1 {
		t.Fatalf("denied %+v, want keyctl alone", step.DeniedSyscalls)
	}
	d := step.DeniedSyscalls[0]
	if d.Name != "keyctl" || d.Nr != 250 || d.Count != 3 || d.Errno != "EPERM" || d.Killed || len(d.Args) != 6 || d.Args[0] != "0x10" {
		t.Errorf("denied %+v", d)
	}
	if _, got := s.ask(t, "GET", "/metrics", "", ""); !strings.Contains(got, `ccee_daemon_denied_syscalls_total{syscall="keyctl"} 3`) {
		t.Errorf("metrics don't count it:\n%s", got)
	}
	if got := s.log.String(); !strings.Contains(got, `"deniedSyscalls":{"keyctl":3}`) {
		t.Errorf("the log doesn't name it:\n%s", got)
	}
}

// TestNothingDeniedAtStart: what the languages do by themselves is hardly ever in the list, so what is there means something.
func TestNothingDeniedAtStart(t *testing.T) {
	s := realDaemon(t, nil)
	known := map[string]string{
		"javascript": "io_uring_setup", // Node asks for it and goes without
		"java":       "socket",         // javac asks whether there are networks
	}
	for language, source := range map[string]string{"python": "import threading, subprocess, tempfile, socket", "javascript": "require('worker_threads'); require('net')", "java": javaHello} {
		res := s.runSpec(t, job.Spec{Language: language, Source: source})
		for _, step := range res.Steps {
			for _, d := range step.DeniedSyscalls {
				if d.Name != known[language] {
					t.Errorf("%s, %s: %+v", language, step.Name, d)
				}
			}
		}
	}
}

// TestKillingPolicy: a call that the policy kills for ends the job, and is named.
func TestKillingPolicy(t *testing.T) {
	policy, err := seccomp.Parse([]byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "keyctl", "action": "SCMP_ACT_KILL_PROCESS"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := realDaemon(t, func(o *Options) { o.Policy = policy })
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: keyctlFromPython}))
	if step.Verdict != job.BadSyscall || len(step.DeniedSyscalls) != 1 || step.DeniedSyscalls[0].Name != "keyctl" || !step.DeniedSyscalls[0].Killed {
		t.Errorf("%+v\n%s", step.DeniedSyscalls, describeStep(step))
	}
	if len(step.Evidence) == 0 || step.Evidence[0] != (job.Evidence{Source: "seccomp notification", Value: 250, Unit: "syscall"}) {
		t.Errorf("evidence %+v", step.Evidence)
	}
}

// foreignCall makes the call getpid in the way that its argument says: by x32's number, or by the gate of i386.
const foreignCall = `
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None)
libc.prctl(15, %q.encode(), 0, 0, 0) # PR_SET_NAME
if %q == "x32":
    print(libc.syscall(0x40000000 + 39))
else:
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3") # mov eax, 20; int 0x80; ret
    print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
`

// TestForeignABI: a call of another ABI ends the job and is named, in a child too, and the host's kernel writes nothing in its log about
// it.
func TestForeignABI(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only x86_64 kernels have the i386 and x32 ABIs")
	}
	s := realDaemon(t, nil)
	for _, tt := range []struct {
		abi string
		nr  int32
	}{{"x32", 0x40000000 | 39}, {"i386", 20}} {
		for _, where := range []string{"", "if os.fork(): os.wait(); print('on'); sys.exit()\n"} {
			comm := fmt.Sprintf("%s-%d", tt.abi, os.Getpid())
			source := strings.Replace(fmt.Sprintf(foreignCall, comm, tt.abi), "libc = ", where+"libc = ", 1)
			said := kernelLog(t)
			step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: source}))
			if step.Signal == "SIGSEGV" && tt.abi == "i386" {
				t.Logf("this kernel has no gate of i386")
				break // in a child it would be the child alone that dies of it
			}
			if step.Verdict != job.BadSyscall || len(step.Stdout.Data) > 0 || len(step.DeniedSyscalls) != 1 {
				t.Fatalf("%s: %s", tt.abi, describeStep(step))
			}
			if d := step.DeniedSyscalls[0]; d.Name != "getpid ("+tt.abi+")" || d.Nr != tt.nr || !d.Killed {
				t.Errorf("%s: denied %+v", tt.abi, d)
			}
			for _, line := range said() {
				if strings.Contains(line, comm) {
					t.Errorf("%s: the host's kernel logs %q", tt.abi, line)
				}
			}
		}
	}
}

// kernelLog returns a function that returns what the kernel has logged since.
func kernelLog(t *testing.T) func() []string {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		defer unix.Close(fd)
		var lines []string
		for b := make([]byte, 8192); ; {
			n, err := unix.Read(fd, b) // a line each
			switch {
			case errors.Is(err, unix.EPIPE): // some were overwritten
			case err != nil:
				return lines
			default:
				lines = append(lines, string(b[:n]))
			}
		}
	}
}

// TestForgedSIGSYS: a signal that a program sends itself is no system call that was refused.
func TestForgedSIGSYS(t *testing.T) {
	s := realDaemon(t, nil)
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: "import os, signal; os.kill(os.getpid(), signal.SIGSYS)"}))
	if step.Verdict != job.Signaled || step.Signal != "SIGSYS" || len(step.DeniedSyscalls) > 0 {
		t.Error(describeStep(step))
	}
}
