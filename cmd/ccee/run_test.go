// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// TestRunRefuses: a mistake in the command line is 2 and needs no daemon to be found.
func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte("#"), size), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program := write("a.py", 1)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no such file", []string{filepath.Join(dir, "nofile.py")}, 2, "no such file"},
		{"a directory", []string{dir}, 2, "is a directory"},
		{"empty", []string{write("empty.py", 0)}, 2, "is empty"},
		{"too large", []string{write("large.py", job.MaxSourceBytes+1)}, 2, "larger than the 1000000 bytes"},
		{"an argument in another encoding", []string{program, "fine", "caf\xe9"}, 2, "argument 2 is not UTF-8"},
		{"memory beyond the maximum", []string{"--memory", "99999G", program}, 2, "-memory: is 99999G, at most 2G is allowed"},
		{"compile time beyond the maximum", []string{"--compile-time", "61s", program}, 2, "-compile-time: is 61s, at most 1m0s is allowed"},
		{"memory below the minimum", []string{"--memory", "1K", program}, 2, "-memory: is 1K, at least 1M is needed"},
		{"a network that no job has", []string{"--network", "host", program}, 2, `-network: "host": it must be loopback or none`},
		{"the maximum itself", []string{"--memory", "2G", "--pids", "1024", program}, 125, "no daemon is running"},
		{"no daemon", []string{program}, 125, "make run starts everything"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append([]string{"ccee", "run", "--socket", filepath.Join(dir, "none.sock")}, tt.args...)
			code := run(t.Context(), args, &stdout, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %d and %q", code, stdout.String(), stderr.String(), tt.code, tt.want)
			}
		})
	}
}

// TestRefused: what the daemon finds wrong with the job is a mistake too; what it can't do now is not.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
	}{
		{job.Invalid("run.memoryBytes", "is 1, at least 2 is needed"), 2},
		{job.Errorf(job.ETooLarge, "the body is too large"), 2},
		{job.Errorf(job.EBusy, "no room for the job: try again later"), 125},
		{job.Errorf(job.EUnavailable, "no daemon"), 125},
		{os.ErrClosed, 125},
	} {
		var stderr bytes.Buffer
		if code := exitCode(refused(tt.err), &stderr); code != tt.code || stderr.String() != "ccee: "+tt.err.Error()+"\n" {
			t.Errorf("%v: exit code %d, stderr %q, want %d and the message once", tt.err, code, stderr.String(), tt.code)
		}
	}
}

// TestPrintEvent: the program's stdout and stderr go where the program wrote them; all that a compiler writes goes to stderr.
func TestPrintEvent(t *testing.T) {
	var out, errs bytes.Buffer
	for _, ev := range []job.Event{
		{Type: job.EventStdout, Step: "compile", Data: []byte("1")},
		{Type: job.EventStderr, Step: "compile", Data: []byte("2")},
		{Type: job.EventStdout, Step: "run", Data: []byte("3")},
		{Type: job.EventStderr, Step: "run", Data: []byte("4")},
	} {
		if err := printEvent(ev, &out, &errs); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "3" || errs.String() != "124" {
		t.Errorf("stdout %q, stderr %q, want 3 and 124", out.String(), errs.String())
	}
}
