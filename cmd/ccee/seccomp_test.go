// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSeccomp: what the built-in policy prints can be checked and used again, and mistakes say where they are.
func TestSeccomp(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	shown, errs, code := ccee(t, "seccomp", "show")
	if code != 0 || !strings.Contains(shown, `"defaultAction": "SCMP_ACT_ERRNO"`) {
		t.Fatalf("show: %d %s", code, errs)
	}
	mine := write("mine.json", strings.Replace(shown, `"ptrace"`, `"kcmp"`, 1))
	for _, tt := range []struct {
		args []string
		code int
		want string // in stdout or stderr
	}{
		{[]string{"check", write("shown.json", shown)}, 0, "ok: "},
		{[]string{"check", "--json", mine}, 0, `"instructions":`},
		{[]string{"check", mine}, 0, "it lets through 0 calls"},
		{[]string{"check", write("less.json", strings.Replace(shown, `"symlinkat",`, "", 1))}, 0, "less: symlinkat\n"},
		{[]string{"check", write("typo.json", strings.Replace(shown, "SCMP_ACT_ALLOW", "SCMP_ACT_ALOW", 1))}, 1, "syscalls[0].action"},
		{[]string{"check", write("notify.json", strings.Replace(shown, `"action": "SCMP_ACT_ALLOW"`, `"action": "SCMP_ACT_NOTIFY"`, 1))}, 1, "SCMP_ACT_NOTIFY"},
		{[]string{"check", filepath.Join(dir, "none")}, 1, "no such file"},
		{[]string{"check"}, 2, "needs one FILE"},
		{[]string{"explain", "read"}, 0, "read: SCMP_ACT_ALLOW"},
		{[]string{"explain", "--json", "mount"}, 0, `"rule":`},
		{[]string{"explain", "--seccomp", mine, "read", "3", "0x10"}, 0, "read: SCMP_ACT_ALLOW"},
		{[]string{"explain", "nonsense"}, 2, "nonsense"},
		{[]string{"explain", "read", "x"}, 2, "is not a number"},
		{[]string{"explain"}, 2, "needs a SYSCALL"},
	} {
		out, errs, code := ccee(t, append([]string{"seccomp"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%v: %d, %q, %q; want %d and %q", tt.args, code, out, errs, tt.code, tt.want)
		}
	}
}
