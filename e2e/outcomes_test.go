// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// outcome is one row of the table: a program, and how it must end.
type outcome struct {
	name                string
	job                 body
	status, verdict     string
	exit                int // -1: null
	signal              string
	stdout, stderr      string // must be within
	truncated, timedOut bool   // of stdout
}

const (
	mib       = 1 << 20
	memory64  = 64
	anyEnd    = -2                                                  // exit code and signal depend on which process the kernel chose
	pythonLed = "import os,sys,time\nprint('before', flush=True)\n" // output before the end must be captured
)

// python, javascript and java make a job.
func python(source string, more ...any) body     { return program("python", source, more) }
func javascript(source string, more ...any) body { return program("javascript", source, more) }
func java(source string, more ...any) body       { return program("java", source, more) }

// ms are the milliseconds that a program needs here for what those are enough for on a fast machine.
func ms(n int64) int64 { return min(n*patience.Slowness(), 15_000) }

// program is a job with a time limit that only a fault reaches, unless more, names and values, says another.
func program(language, source string, more []any) body {
	b := body{"language": language, "sourceCode": source, "timeoutMs": 15_000}
	for i := 0; i < len(more); i += 2 {
		if more[i] == "run" { // which has a time limit of its own
			delete(b, "timeoutMs")
		}
		b[more[i].(string)] = more[i+1]
	}
	return b
}

func outcomes() []outcome {
	return []outcome{
		// The program's own ends.
		{name: "exit 0", job: python("print('x')"), status: "succeeded", verdict: "exited", stdout: "x\n"},
		{name: "exit 3", job: python(pythonLed + "sys.exit(3)"), status: "failed", verdict: "exited", exit: 3, stdout: "before"},
		{name: "exit 137 is no OOM", job: python("import os; os._exit(137)"), status: "failed", verdict: "exited", exit: 137},
		{name: "a program that prints Killed is not killed", job: python("print('Killed')"), status: "succeeded", verdict: "exited", stdout: "Killed"},
		{name: "python exception", job: python(pythonLed + "1/0"), status: "failed", verdict: "exited", exit: 1, stdout: "before", stderr: "ZeroDivisionError"},
		{name: "python syntax error", job: python("def"), status: "failed", verdict: "exited", exit: 1, stderr: "SyntaxError"},
		{name: "javascript exception", job: javascript("console.log('before'); throw new Error('boom')"), status: "failed", verdict: "exited", exit: 1, stdout: "before", stderr: "boom"},
		{name: "java exception", job: java(`public class Main { public static void main(String[] a) { throw new RuntimeException("boom"); } }`), status: "failed", verdict: "exited", exit: 1, stderr: "boom"},
		{name: "java compile error", job: java(`public class Main { int x = "text"; }`), status: "failed", verdict: "exited", exit: 1, stderr: "incompatible types"},
		{name: "abort", job: python(pythonLed + "os.abort()"), status: "failed", verdict: "signaled", exit: -1, signal: "SIGABRT", stdout: "before"},

		// Limits.
		{name: "wall time", job: python(pythonLed+"time.sleep(60)", "timeoutMs", ms(500)), status: "timed_out", verdict: "wall_time", exit: -1, signal: "SIGKILL", stdout: "before", timedOut: true},
		{name: "wall time, SIGTERM ignored", job: python("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"+pythonLed+"time.sleep(60)", "timeoutMs", ms(500)), status: "timed_out", verdict: "wall_time", exit: -1, signal: "SIGKILL", stdout: "before", timedOut: true},
		{name: "CPU time", job: python(pythonLed+"while True: pass", "run", body{"cpuMs": ms(300), "cpuMillicores": 1000, "timeoutMs": 60_000}), status: "timed_out", verdict: "cpu_time", exit: -1, signal: "SIGKILL", stdout: "before", timedOut: true},
		// Contract 9.3: the CPU time follows the time limit; by default it is 4 s.
		{name: "more time, more CPU time", job: python("import time\nwhile time.process_time() < 4.3: pass\nprint('done')", "timeoutMs", 15000, "cpuMillicores", 1000), status: "succeeded", verdict: "exited", stdout: "done\n"},
		{name: "memory bomb", job: python(pythonLed+"x=[]\nwhile True: x.append(bytearray(1<<20))", "memoryMb", memory64, "cpuMillicores", 1000), status: "failed", verdict: "oom_killed", exit: -1, signal: "SIGKILL", stdout: "before"},
		{name: "memory bomb of many processes", job: python(pythonLed+"for i in range(20):\n  if os.fork()==0:\n    x=bytearray(30<<20); time.sleep(20)\nos.wait()", "memoryMb", memory64, "run", body{"timeoutMs": 60_000, "cpuMillicores": 1000}), status: "failed", verdict: "oom_killed", exit: anyEnd, stdout: "before"},
		{name: "fork bomb", job: python(pythonLed+"while True:\n  if os.fork()==0: time.sleep(60)", "run", body{"pids": 32, "timeoutMs": 60_000, "cpuMillicores": 1000}), status: "failed", verdict: "pids_limit", exit: 1, stdout: "before", stderr: "BlockingIOError"},
		{name: "fork bomb that goes on", job: python(pythonLed+"while True:\n  try: os.fork()\n  except OSError: pass", "run", body{"pids": 32, "timeoutMs": ms(1500), "cpuMillicores": 1000, "memoryMb": 512}), status: "timed_out", verdict: "wall_time", exit: -1, signal: "SIGKILL", stdout: "before", timedOut: true},
		{name: "output beyond the kept", job: python("print('x'*100000)"), status: "succeeded", verdict: "exited", stdout: "xxx", truncated: true},
		{name: "output flood", job: python("import sys\nwhile True: sys.stdout.write('x'*65536)", "run", body{"floodBytes": mib, "cpuMillicores": 1000}), status: "failed", verdict: "output_limit", exit: -1, signal: "SIGKILL", stdout: "xxx", truncated: true},
		{name: "large file", job: python(pythonLed+"import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nf=open('f','wb')\nwhile True: f.write(b'x'*65536)", "run", body{"fileSizeBytes": mib}), status: "failed", verdict: "file_size", exit: -1, signal: "SIGXFSZ", stdout: "before"},
		{name: "disk fill", job: python(pythonLed+"f=open('f','wb')\nwhile True: f.write(b'x'*65536)", "run", body{"workspaceBytes": mib}), status: "failed", verdict: "exited", exit: 1, stdout: "before", stderr: "No space left"},
		{name: "inode fill", job: python(pythonLed+"i=0\nwhile True:\n  open(f'f{i}','w').close(); i+=1", "run", body{"workspaceInodes": 64}), status: "failed", verdict: "exited", exit: 1, stdout: "before", stderr: "No space left"},
		{name: "open files", job: python(pythonLed+"x=[]\nwhile True: x.append(open('/dev/null'))", "run", body{"openFiles": 32}), status: "failed", verdict: "exited", exit: 1, stdout: "before", stderr: "Too many open files"},

		// The end of the main process is the end.
		{name: "daemonised child", job: python("import os,time\nif os.fork()==0:\n  os.setsid(); time.sleep(60)\nprint('parent')"), status: "succeeded", verdict: "exited", stdout: "parent\n"},
		{name: "child that holds stdout", job: python("import subprocess,sys\nsubprocess.Popen([sys.executable,'-c','import time; time.sleep(60)'])\nprint('parent')"), status: "succeeded", verdict: "exited", stdout: "parent\n"},

		// Data in and out.
		{name: "65,536 newlines", job: python("import sys; sys.stdout.write('\\n'*65536)"), status: "succeeded", verdict: "exited", stdout: strings.Repeat("\n", 65536)},
		{name: "stdin of 100,000 bytes", job: python("import sys; print(len(sys.stdin.read()))", "stdin", strings.Repeat("a", 100_000)), status: "succeeded", verdict: "exited", stdout: "100000\n"},
		{name: "stdin that nobody reads", job: python("print('x')", "stdin", strings.Repeat("a", 100_000)), status: "succeeded", verdict: "exited", stdout: "x\n"},
		{name: "source of 100,000 bytes with multi-byte characters", job: python(largeSource()), status: "succeeded", verdict: "exited", stdout: "33324 ä€\n"},
		{name: "arguments, environment, files", job: python("import sys,os\nprint(sys.argv[1:], os.environ['NAME'], open('d/data.txt').read())",
			"args", []string{"a b", "ü"}, "env", body{"NAME": "value"}, "files", []body{{"name": "d/data.txt", "content": "text"}}), status: "succeeded", verdict: "exited", stdout: "['a b', 'ü'] value text\n"},
	}
}

// largeSource is exactly 100,000 bytes, mostly of three-byte characters.
func largeSource() string {
	const head, tail = "s = '", "'\nprint(len(s), 'ä€')\n"
	room := 100_000 - len(head) - len(tail)
	return head + strings.Repeat("€", room/3) + strings.Repeat("x", room%3) + tail
}

func TestOutcomes(t *testing.T) {
	s := sharedUp(t)
	for _, tt := range outcomes() {
		t.Run(tt.name, func(t *testing.T) {
			j := s.run(t, tt.job)
			r := j.Result
			if r == nil {
				t.Fatalf("no result, status %s, error %v", j.Status, j.Error)
			}
			exit, signal := -1, ""
			if r.ExitCode != nil {
				exit = *r.ExitCode
			}
			if r.Signal != nil {
				signal = *r.Signal
			}
			if tt.exit == anyEnd {
				exit, signal = anyEnd, ""
			}
			if j.Status != tt.status || r.Verdict != tt.verdict || exit != tt.exit || signal != tt.signal || r.TimedOut != tt.timedOut {
				t.Errorf("got status %s, verdict %s, exit %d, signal %q, timedOut %v; want %s, %s, %d, %q, %v\nevidence %v, stderr %.500q",
					j.Status, r.Verdict, exit, signal, r.TimedOut, tt.status, tt.verdict, tt.exit, tt.signal, tt.timedOut, r.Evidence, r.Stderr)
			}
			if !strings.Contains(r.Stdout, tt.stdout) || !strings.Contains(r.Stderr, tt.stderr) || r.StdoutTruncated != tt.truncated {
				t.Errorf("got stdout %.200q (truncated %v), stderr %.500q; want %.200q (%v) and %q within",
					r.Stdout, r.StdoutTruncated, r.Stderr, tt.stdout, tt.truncated, tt.stderr)
			}
			if tt.truncated && (len(r.StdoutBase64) != 65_536 || r.Usage.StdoutBytes <= 65_536) {
				t.Errorf("kept %d bytes of %d, want 65536 of more", len(r.StdoutBase64), r.Usage.StdoutBytes)
			}
			if r.Usage.WallMs <= 0 || r.Usage.MemoryPeakBytes <= 0 || len(r.Evidence) == 0 {
				t.Errorf("usage %+v or evidence %v is empty", r.Usage, r.Evidence)
			}
		})
	}
}

// TestBinaryOutput: bytes that are no text come back as they were.
func TestBinaryOutput(t *testing.T) {
	s := sharedUp(t)
	j := s.run(t, python("import sys; sys.stdout.buffer.write(bytes(range(256))); sys.stderr.buffer.write(b'\\xff\\x00')"))
	if j.Result == nil || len(j.Result.StdoutBase64) != 256 || string(j.Result.StderrBase64) != "\xff\x00" {
		t.Fatalf("result %+v, want all 256 bytes and ff 00", j.Result)
	}
	for i, b := range j.Result.StdoutBase64 {
		if int(b) != i {
			t.Fatalf("byte %d is %#x", i, b)
		}
	}
}
