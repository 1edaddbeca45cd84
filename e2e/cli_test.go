// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// ran is what one call of the binary did.
type ran struct {
	code           int
	stdout, stderr string
}

// ccee runs the binary to its end. Its environment is env alone.
func ccee(t *testing.T, stdin string, env []string, args ...string) ran {
	t.Helper()
	return wait(t, stdin, env, exec.Command(binary, args...))
}

func wait(t *testing.T, stdin string, env []string, cmd *exec.Cmd) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	late := time.AfterFunc(patience.Long(), func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return ran{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// file writes a source file for one test.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRun: ccee run behaves like the program.
func TestRun(t *testing.T) {
	s := sharedUp(t)
	for _, tt := range []struct {
		name, file, source, stdin string
		flags, args               []string
		want                      ran // stderr: must be within
	}{
		{name: "output", file: "a.py", source: "import sys; print('out'); print('err', file=sys.stderr)", want: ran{0, "out\n", "err\n"}},
		{name: "exit code", file: "a.py", source: "raise SystemExit(7)", want: ran{7, "", ""}},
		{name: "stdin", file: "a.py", source: "print(input()[::-1])", stdin: "abc\n", want: ran{0, "cba\n", ""}},
		{name: "binary", file: "a.py", source: "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", stdin: "\xff\x00\n\n", want: ran{0, "\xff\x00\n\n", ""}},
		{name: "arguments that look like flags", file: "a.py", source: "import sys; print(sys.argv[1:])", args: []string{"--json", "-l", "x"}, want: ran{0, "['--json', '-l', 'x']\n", ""}},
		{name: "javascript", file: "a.js", source: "console.log(6*7)", want: ran{0, "42\n", ""}},
		{name: "java", file: "Hello.java", source: javaHello, want: ran{0, "hello\n", ""}},
		{name: "a source in another encoding", file: "a.py", source: "# -*- coding: latin-1 -*-\nprint(ascii('caf\xe9'))", want: ran{0, "'caf\\xe9'\n", ""}},
		{name: "compile error", file: "Main.java", source: "class", want: ran{1, "", "error:"}},
		{name: "another encoding", file: "a.py", source: "# -*- coding: latin-1 -*-\nprint('\xe9')", want: ran{0, "é\n", ""}},
		{name: "a language by name", file: "script", source: "print(1)", flags: []string{"-l", "python"}, want: ran{0, "1\n", ""}},
		{name: "signal", file: "a.py", source: "import os; os.kill(os.getpid(), 15)", want: ran{128 + 15, "", "SIGTERM"}},
		{name: "time", file: "a.py", source: "print('x', flush=True)\nimport time; time.sleep(9)", flags: []string{"--time", "300ms"}, want: ran{124, "x\n", "longer than 300ms (--time)"}},
		{name: "memory", file: "a.py", source: "x = bytearray(1 << 30)\nprint(len(x))", flags: []string{"--memory", "64M"}, want: ran{137, "", "more memory than 64M (--memory)"}},
		{name: "flood", file: "a.py", source: "while True: print('x' * 9999)", flags: []string{"--flood", "1M", "--output", "1K"}, want: ran{123, "", "wrote more than 1M (--flood)"}},
		{name: "cut output", file: "a.py", source: "print('x' * 9999)", flags: []string{"--output", "4"}, want: ran{0, "xxxx", "stdout cut after 4 of 10000 bytes (--output)"}},
		{name: "tail", file: "a.py", source: "for i in range(1000): print(i)", flags: []string{"--output", "9", "--output-tail", "5"}, want: ran{0, "0\n1\n\n999\n", "stdout: 3881 of 3890 bytes left out after the first 4 (--output, --output-tail)"}},
		{name: "too long a tail", file: "a.py", source: "x", flags: []string{"--output", "9", "--output-tail", "10"}, want: ran{2, "", "run.outputTailBytes is 10, but no more than 9 bytes are kept"}},
		{name: "interleave", file: "a.py", source: "import os\nfor i in range(9): os.write(1 + i % 2, b'%d' % i)", flags: []string{"--interleave"}, want: ran{0, "02468", "1357"}},
		{name: "loopback", file: "a.py", source: "import socket\nwith socket.create_server(('127.0.0.1', 80)) as s: print(s.getsockname()[1])", want: ran{0, "80\n", ""}},
		{name: "no network", file: "a.py", source: "import socket\ntry: socket.socket()\nexcept OSError as e: print(e.errno)", flags: []string{"--network", "none"}, want: ran{0, "97\n", ""}},
		{name: "unknown language", file: "a.cob", source: "x", want: ran{2, "", "name one with --language; the daemon has"}},
		{name: "a language that is not there", file: "a.py", source: "x", flags: []string{"-l", "cobol"}, want: ran{2, "", `no language "cobol"`}},
		{name: "beyond the maximum", file: "a.py", source: "x", flags: []string{"--pids", "99999"}, want: ran{2, "", "-pids: is 99999, at most 1024 is allowed"}},
		{name: "too little for the language", file: "Main.java", source: javaHello, flags: []string{"--memory", "1M"}, want: ran{2, "", "run.memoryBytes is 1048576, at least"}},
		{name: "a limit that is none", file: "a.py", source: "x", flags: []string{"--memory", "lots"}, want: ran{2, "", "64K, 16M or 1G"}},
		{name: "empty file", file: "a.py", source: "", want: ran{2, "", "is empty"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"run", "--socket", s.socket()}, tt.flags...)
			args = append(append(args, file(t, tt.file, tt.source)), tt.args...)
			got := ccee(t, tt.stdin, nil, args...)
			if tt.name == "flood" {
				got.stdout = "" // how much comes before the kill is a matter of luck
			}
			if got.code != tt.want.code || got.stdout != tt.want.stdout || !strings.Contains(got.stderr, tt.want.stderr) || tt.want.stderr == "" && got.stderr != "" {
				t.Errorf("got %d, stdout %.200q, stderr %.500q; want %+v", got.code, got.stdout, got.stderr, tt.want)
			}
		})
	}
}

// TestRunJSON: the result is one job.Result, and stdout holds nothing else.
func TestRunJSON(t *testing.T) {
	s := sharedUp(t)
	got := ccee(t, "", []string{"CCEE_SOCKET=" + s.socket()}, "run", "--json", file(t, "a.py", "print('x'); raise SystemExit(3)"))
	var r job.Result
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%q: %v", got.stdout, err)
	}
	if got.code != 3 || r.Verdict != job.Exited || r.ExitCode == nil || *r.ExitCode != 3 || string(r.Last().Stdout.Data) != "x\n" || r.Tier != "jail" {
		t.Errorf("code %d, result %+v", got.code, r)
	}
}

// TestSubmit: the same over REST.
func TestSubmit(t *testing.T) {
	s := sharedUp(t)
	env := []string{"CCEE_API_KEY=" + key, "CCEE_URL=" + s.url}
	for _, tt := range []struct {
		source string
		want   ran
	}{
		{"import sys; print(input()); sys.exit(4)", ran{4, "in\n", ""}},
		{"# -*- coding: latin-1 -*-\nprint(ascii('caf\xe9'))", ran{0, "'caf\\xe9'\n", ""}},
		{"import os; os.kill(os.getpid(), 9)", ran{128 + 9, "", "ccee: signaled SIGKILL: see ccee analyze "}},
	} {
		got := ccee(t, "in", env, "submit", file(t, "a.py", tt.source))
		if got.code != tt.want.code || got.stdout != tt.want.stdout || !strings.HasPrefix(got.stderr, tt.want.stderr) || tt.want.stderr == "" && got.stderr != "" {
			t.Errorf("%s: got %+v, want %+v", tt.source, got, tt.want)
		}
	}
	noSocket := file(t, "a.py", "import socket\ntry: socket.socket()\nexcept OSError as e: print(e.errno)")
	if got := ccee(t, "", env, "submit", "--network", "none", noSocket); got.stdout != "97\n" {
		t.Errorf("without network: %+v, want 97 (EAFNOSUPPORT)", got)
	}
	if got := ccee(t, "", env[1:], "submit", file(t, "a.py", "x")); got.code != 2 || !strings.Contains(got.stderr, "CCEE_API_KEY is not set") {
		t.Errorf("without a key: %+v", got)
	}
}
