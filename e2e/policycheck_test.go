// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestPolicyCheck: ccee seccomp check reports whether a daemon would serve under a policy, and the calls that it allows and the built-in
// one refuses.
func TestPolicyCheck(t *testing.T) {
	requireHost(t)
	shown := ccee(t, "", nil, "seccomp", "show").stdout
	type policy = map[string]any
	changed := func(name string, change func(rules []any, names []any) []any) string {
		var p policy
		if err := json.Unmarshal([]byte(shown), &p); err != nil {
			t.Fatal(err)
		}
		rules := p["syscalls"].([]any)
		p["syscalls"] = change(rules, rules[0].(policy)["names"].([]any))
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return file(t, name, string(text))
	}
	without := func(names []any, name string) []any {
		var rest []any
		for _, n := range names {
			if n != name {
				rest = append(rest, n)
			}
		}
		return rest
	}
	traces := changed("traces.json", func(rules, names []any) []any {
		for _, r := range rules {
			r.(policy)["names"] = without(r.(policy)["names"].([]any), "ptrace")
		}
		rules[0].(policy)["names"] = append(names, "ptrace")
		return rules
	})
	opensNothing := changed("opens-nothing.json", func(rules, names []any) []any {
		var rest []any
		for _, r := range rules {
			if n := without(r.(policy)["names"].([]any), "openat"); n != nil {
				r.(policy)["names"] = n
				rest = append(rest, r)
			}
		}
		return rest
	})
	noEpoll := changed("no-epoll.json", func(rules, names []any) []any {
		for _, r := range rules {
			r.(policy)["names"] = without(without(r.(policy)["names"].([]any), "epoll_create"), "epoll_create1")
		}
		return rules
	})
	for _, tt := range []struct {
		name, file string
		code       int
		want       []string
	}{
		{"the built-in one", file(t, "shown.json", shown), 0, []string{"ok: ", "lets through 0 calls", "attempts to get out of a sandbox under it were refused",
			"java: its first program runs", "javascript: its first program runs", "python: its first program runs"}},
		{"no epoll", noEpoll, 1, []string{"REFUSED: ", "refuses 2 calls", "python: its first program runs", "not every language runs under it", "javascript: "}},
		{"ptrace", traces, 1, []string{"REFUSED: ", "lets through 1 call, 1 of which", "ptrace             with all arguments", "jobs could get through here: ptrace, be traced"}},
		{"no openat", opensNothing, 1, []string{"REFUSED: ", "refuses 1 call", "less: openat", "no program can be run under it"}},
		{"allow all", file(t, "all.json", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}`), 1, []string{"REFUSED: ", "bpf                with all arguments", "jobs could get through here"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ccee(t, "", nil, "seccomp", "check", "--images", images(), tt.file)
			for _, want := range tt.want {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("no %q in\n%s", want, got.stdout)
				}
			}
			if got.code != tt.code || (tt.code == 1) != strings.Contains(got.stderr, "is not fit for use") {
				t.Errorf("exit code %d, %s", got.code, got.stderr)
			}
		})
	}
}
