// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

const javaHello = `public class Hello { public static void main(String[] a) { System.out.println("hello from java"); } }`

func TestHello(t *testing.T) {
	s := realDaemon(t, nil)
	for _, tt := range []struct{ language, source, want string }{
		{"python", "print('hello from python')", "hello from python\n"},
		{"javascript", "console.log('hello from javascript')", "hello from javascript\n"},
		{"java", javaHello, "hello from java\n"},
		{"py", "import sys\nprint(sys.stdin.read(), sys.argv[1:])", "héllo ['a', 'b c']\n"},
	} {
		t.Run(tt.language, func(t *testing.T) {
			res := s.runSpec(t, job.Spec{Language: tt.language, Source: tt.source, Stdin: []byte("héllo"), Args: []string{"a", "b c"}})
			step := last(t, res)
			if res.Status != job.Succeeded || string(step.Stdout.Data) != tt.want {
				t.Fatalf("%s, want succeeded and %q\n%s", res.Status, tt.want, describeStep(step))
			}
			u := step.Usage
			if u.WallMs <= 0 || u.CPUUserMs+u.CPUSystemMs <= 0 || u.MemoryPeakBytes <= 0 {
				t.Errorf("usage %+v, want wall, CPU and memory counted", u)
			}
		})
	}
}

func TestCompileError(t *testing.T) {
	s := realDaemon(t, nil)
	res := s.runSpec(t, job.Spec{Language: "java", Source: "class Main { int x = ; }"})
	step := last(t, res)
	if res.Status != job.Failed || step.Name != "compile" || step.OK() || !strings.Contains(step.Stderr.Text(), "error") || len(res.Steps) != 1 {
		t.Errorf("%s after %d steps, want failed in compile with javac's message\n%s", res.Status, len(res.Steps), describeStep(step))
	}
}

func TestExitCodes(t *testing.T) {
	s := realDaemon(t, nil)
	for code := range 256 {
		res := s.runSpec(t, job.Spec{Language: "python", Source: fmt.Sprintf("import os; os._exit(%d)", code)})
		step := last(t, res)
		if step.Verdict != job.Exited || step.ExitCode == nil || *step.ExitCode != code || (res.Status == job.Succeeded) != (code == 0) {
			t.Errorf("exit %d: %s\n%s", code, res.Status, describeStep(step))
		}
	}
}

func TestSignals(t *testing.T) {
	s := realDaemon(t, nil)
	for _, name := range []string{"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
		"ALRM", "TERM", "STKFLT", "XCPU", "VTALRM", "PROF", "IO", "PWR"} {
		res := s.runSpec(t, job.Spec{Language: "python",
			Source: fmt.Sprintf("import os, signal\ns = signal.SIG%s\nif s != signal.SIGKILL: signal.signal(s, signal.SIG_DFL)\nos.write(1, b'before')\nos.kill(os.getpid(), s)", name)})
		step := last(t, res)
		if res.Status != job.Failed || step.Verdict != job.Signaled || step.Signal != "SIG"+name || step.ExitCode != nil || string(step.Stdout.Data) != "before" {
			t.Errorf("SIG%s: %s\n%s", name, res.Status, describeStep(step))
		}
	}
}

// TestVerdicts has one hostile or broken program for each way to end.
func TestVerdicts(t *testing.T) {
	s := realDaemon(t, nil)
	for _, tt := range []struct {
		name    string
		source  string
		limits  job.Limits
		verdict job.Verdict
		stdout  string // that must have been kept
	}{
		{"uncaught exception", "print('a', flush=True)\nraise ValueError('boom')", job.Limits{}, job.Exited, "a\n"},
		{"sleeps too long", "print('a', flush=True)\nimport time\ntime.sleep(60)", job.Limits{WallMs: 300}, job.WallTime, "a\n"},
		{"computes too long", "print('a', flush=True)\nwhile True: pass", job.Limits{CPUMs: 200, CPUMillicores: 1000}, job.CPUTime, "a\n"},
		{"all its processes compute too long", "import os\nos.write(1, b'a')\nos.fork(); os.fork()\nwhile True: pass", job.Limits{CPUMs: 200, CPUMillicores: 2000}, job.CPUTime, "a"},
		{"memory bomb", "print('a', flush=True)\nx = []\nwhile True: x.append(bytearray(1 << 20))", job.Limits{MemoryBytes: 64 * job.MiB}, job.OOMKilled, "a\n"},
		{"memory bomb in a child", "import os\nos.write(1, b'a')\nif os.fork() == 0:\n  x = []\n  while True: x.append(bytearray(1 << 20))\nelse: os.wait()", job.Limits{MemoryBytes: 64 * job.MiB}, job.OOMKilled, "a"},
		{"fork bomb", "import os, time\nos.write(1, b'a')\nmain = os.getpid()\nwhile True:\n  try: os.fork()\n  except OSError:\n    if os.getpid() == main: raise\n    time.sleep(60)", job.Limits{PidsMax: 20, CPUMillicores: 1000, WallMs: 30_000, CPUMs: 30_000}, job.PidsLimit, "a"},
		{"threads without end", "import threading, time\nprint('a', flush=True)\nwhile True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", job.Limits{PidsMax: 20, WallMs: 30_000, CPUMs: 30_000, CPUMillicores: 1000}, job.PidsLimit, "a\n"},
		{"output flood", "while True: print('x' * 60)", job.Limits{FloodBytes: job.MiB, CPUMillicores: 1000}, job.OutputLimit, strings.Repeat("x", 60) + "\n"},
		{"file too large", "import os\nos.write(1, b'a')\nimport signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nf = os.open('big', os.O_CREAT | os.O_WRONLY)\nwhile True: os.write(f, b'x' * 65536)", job.Limits{FileSizeBytes: job.MiB}, job.FileSize, "a"},
		{"a child keeps stdout", "import os, time\nif os.fork() == 0:\n  time.sleep(60)\nos.write(1, b'a')", job.Limits{}, job.Exited, "a"},
		{"a daemon in a session of its own", "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(60)\nos.write(1, b'a')", job.Limits{}, job.Exited, "a"},
		{"ignores SIGTERM", "import signal, time\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n  except OSError: pass\nprint('a', flush=True)\nwhile True: time.sleep(1)", job.Limits{WallMs: 300}, job.WallTime, "a\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: tt.source, Run: tt.limits}))
			if step.Verdict != tt.verdict || !strings.HasPrefix(string(step.Stdout.Data), tt.stdout) {
				t.Errorf("want %s and stdout %q\n%s", tt.verdict, tt.stdout, describeStep(step))
			}
			if took := time.Since(began); took > patience.Long()/2 {
				t.Errorf("took %v: something held the job open", took)
			}
		})
	}
}

// Full disks and used-up inodes are the program's to see: it gets ENOSPC and goes on.
func TestFullDisks(t *testing.T) {
	s := realDaemon(t, nil)
	for _, tt := range []struct {
		name, source string
		limits       job.Limits
	}{
		{"disk", "f = open(DIR + '/f', 'wb', buffering=0)\nwhile True: f.write(b'x' * 65536)", job.Limits{TmpBytes: job.MiB, WorkspaceBytes: job.MiB}},
		{"inodes", "n = 0\nwhile True:\n  n += 1\n  open(f'{DIR}/{n}', 'w').close()", job.Limits{TmpInodes: 50, WorkspaceInodes: 50}},
	} {
		for _, dir := range []string{"/tmp", "/workspace", "/dev/shm"} {
			t.Run(tt.name+dir, func(t *testing.T) {
				source := "import errno, os\nDIR = '" + dir + "'\ntry:\n  " + strings.ReplaceAll(tt.source, "\n", "\n  ") +
					"\nexcept OSError as e: print(errno.errorcode[e.errno])"
				step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: source, Run: tt.limits}))
				if string(step.Stdout.Data) != "ENOSPC\n" {
					t.Errorf("want ENOSPC\n%s", describeStep(step))
				}
			})
		}
	}
}

func TestOutputIsBytes(t *testing.T) {
	s := realDaemon(t, nil)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, tt := range []struct {
		name, source string
		stdin        []byte
		want         string
		bytes        int64
	}{
		{"every byte", "import os; os.write(1, bytes(range(256)))", nil, string(all), 256},
		{"65,536 newlines", "import os; os.write(1, b'\\n' * 65536)", nil, strings.Repeat("\n", 65_536), 65_536},
		{"one byte too many", "import sys; sys.stdout.write('x' * 65537)", nil, strings.Repeat("x", 65_536), 65_537},
		{"stdin of 100,000 bytes", "import sys; b = sys.stdin.buffer.read(); print(len(b), b == b'ab' * 50000)", []byte(strings.Repeat("ab", 50_000)), "100000 True\n", 12},
		{"binary stdin", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", all, string(all), 256},
		{"stdin not read", "print(1)", []byte(strings.Repeat("x", 1_000_000)), "1\n", 2},
		{"no stdin", "import sys; print(repr(sys.stdin.read()))", nil, "''\n", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: tt.source, Stdin: tt.stdin}))
			out := step.Stdout
			if !step.OK() || string(out.Data) != tt.want || out.Bytes != tt.bytes || out.Truncated != (tt.bytes > int64(len(tt.want))) {
				t.Errorf("got %d of %d bytes, truncated %v, want %d of %d\n%s", len(out.Data), out.Bytes, out.Truncated, len(tt.want), tt.bytes, describeStep(step))
			}
		})
	}
}

func TestLargeSourceAndFiles(t *testing.T) {
	s := realDaemon(t, nil)
	source := "# " + strings.Repeat("ä", 49_900) + "\nimport lib.mod, subprocess\nprint(lib.mod.x, subprocess.run(['./lib/tool']).returncode)\n"
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: source, Files: []job.File{
		{Name: "lib/mod.py", Data: []byte("x = 'from a file'")},
		{Name: "lib/tool", Data: []byte("#!/usr/bin/python3\nraise SystemExit(7)\n"), Exec: true},
		{Name: "a/b/c/d/e/deep", Data: make([]byte, 700_000)},
	}}))
	if got, want := string(step.Stdout.Data), "from a file 7\n"; got != want {
		t.Errorf("stdout %q, want %q\n%s", got, want, describeStep(step))
	}
}

// The files don't fit: that is the job's fault, and must not be tried again.
func TestFilesThatDoNotFit(t *testing.T) {
	s := realDaemon(t, nil)
	res := s.runSpec(t, job.Spec{Language: "python", Source: "print(1)", Run: job.Limits{WorkspaceBytes: 65_536},
		Files: []job.File{{Name: "big", Data: make([]byte, 500_000)}}})
	if step := last(t, res); step.Verdict != job.StartFailed || res.Status != job.Failed {
		t.Errorf("want start_failed\n%s", describeStep(step))
	}
}
