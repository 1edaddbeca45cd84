// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
)

// writeELF is the start of a Python program that has elf(interpreter, ...), which makes an ELF executable of x86-64 or arm64 by elf(5): one
// header for an interpreter, of that many bytes at that offset if they are to be other ones, and one for nothing.
const writeELF = `
import os, platform, struct
def elf(interpreter, size=None, offset=None, machine={'x86_64': 62, 'aarch64': 183}[platform.machine()], headers=2):
  name = interpreter.encode() + b'\0'
  head = b'\x7fELF\2\1\1' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, headers, 0, 0, 0)
  at = offset or 64 + 2 * 56
  interp = struct.pack('<IIQQQQQQ', 3, 4, at, 0, 0, size or len(name), size or len(name), 1)
  load = struct.pack('<IIQQQQQQ', 1, 5, 0, 0x400000, 0x400000, 4096, 4096, 4096)
  return head + interp + load + name
def put(name, text=b'', mode=0o755):
  with open(name, 'wb') as f: f.write(text)
  os.chmod(name, mode)
`

// TestStartFailed has compile steps that leave what can't be executed. None is a fault of the daemon's, which would be tried three times
// and wake somebody up: each is a result, with the errors of execve(2) and chdir(2).
func TestStartFailed(t *testing.T) {
	s := realDaemon(t, nil)
	s.offer(t, "made", plan.WorkDir+"/a.out")
	s.offer(t, "closed", "/usr/bin/python3", "main.py")
	for _, tt := range []struct{ name, language, leave, want string }{
		{"a loop", "made", "os.symlink('a.out', 'a.out')", "execve /workspace/a.out: too many levels of symbolic links"},
		{"its own interpreter", "made", "put('a.out', b'#!/workspace/a.out\\n')", "too many levels of symbolic links"},
		{"an interpreter that is no ELF", "made", "put('ld', b'x' * 200); put('a.out', elf('/workspace/ld'))", "accessing a corrupted shared library"},
		{"an interpreter that is a loop", "made", "os.symlink('ld', 'ld'); put('a.out', elf('/workspace/ld'))", "too many levels of symbolic links"},
		{"an interpreter below a file", "made", "put('ld'); put('a.out', elf('/workspace/ld/so'))", "not a directory"},
		{"a closed workspace", "closed", "os.chmod('.', 0)", "chdir /workspace: permission denied"},

		{"nothing", "made", "", "no such file or directory"},
		{"a directory", "made", "os.mkdir('a.out')", "permission denied"},
		{"a FIFO", "made", "os.mkfifo('a.out', 0o777)", "permission denied"},
		{"no right", "made", "put('a.out', elf('/lib/ld'), 0o644)", "permission denied"},
		{"empty", "made", "put('a.out')", "exec format error"},
		{"another machine's", "made", "put('a.out', elf('/workspace/ld', machine=8))", "exec format error"},
		{"too many headers", "made", "put('a.out', elf('/workspace/ld', headers=65535))", "exec format error"},
		{"cut off", "made", "put('a.out', elf('/workspace/ld')[:100])", "exec format error"},
		{"an interpreter beyond its end", "made", "put('a.out', elf('/workspace/ld', 100, 1 << 30))", "input/output error"},
		{"an interpreter before its start", "made", "put('a.out', elf('/workspace/ld', 100, (1 << 64) - 100))", ""},
		{"an interpreter cut off", "made", "put('ld', elf('x')[:100]); put('a.out', elf('/workspace/ld'))", "accessing a corrupted shared library"},
		{"an interpreter that isn't there", "made", "put('a.out', elf('/workspace/ld'))", "no such file or directory"},
		{"an interpreter without a right", "made", "put('ld', b'x', 0); put('a.out', elf('/workspace/ld'))", "permission denied"},
		{"an interpreter with too long a name", "made", "put('a.out', b'#!/' + b'x' * 4096)", ""},
		{"a name too long", "made", "os.symlink('/' + 'x' * 300, 'a.out')", "file name too long"},
		{"a closed directory", "made", "os.mkdir('d'); put('d/a.out', elf('/x')); os.symlink('d/a.out', 'a.out'); os.chmod('d', 0)", "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := s.runSpec(t, job.Spec{Language: tt.language, Source: writeELF + tt.leave})
			step := last(t, res)
			if res.Status != job.Failed || step.Name != "run" || step.Verdict != job.StartFailed || !strings.Contains(step.Message, tt.want) {
				t.Errorf("%s, want failed to start with %q\n%s", res.Status, tt.want, describeStep(step))
			}
		})
	}
	t.Run("what started it", func(t *testing.T) { // sandbox-init's own executable, by the one magic link that leads to it
		step := last(t, s.runSpec(t, job.Spec{Language: "made", Source: "import os; os.symlink('/proc/self/exe', 'a.out')"}))
		if step.Name != "run" || step.OK() {
			t.Errorf("want a result that is no success\n%s", describeStep(step))
		}
	})
}

// A checker that is built can leave something in the place of what it is to judge.
func TestCheckerLeavesItsInput(t *testing.T) {
	s := offeringBuilt(t, nil)
	for name, leave := range map[string]string{
		"a file":                   "os.mkdir('test'); open('test/input', 'w')",
		"a file for the directory": "open('test', 'w')",
		"a directory":              "os.makedirs('test/input/x'); open('test/input/x/y', 'w')",
	} {
		t.Run(name, func(t *testing.T) {
			checker := job.Checker{Language: "built", Source: "import os\n" + leave + "\nopen('ran.py', 'w')"}
			res := s.runSpec(t, job.Spec{Language: "python", Source: pythonSum, Tests: &job.Tests{List: []job.Test{expect("1 2", "3")}, Checker: &checker}})
			if got := verdictsOf(res); got != "checker_failed" {
				t.Errorf("%s, want checker_failed", got)
			}
		})
	}
}
