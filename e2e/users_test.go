// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// unprivilegedIDs returns the uid and the gid that the parts run as: the user ccee's or, without one, those that OPERATIONS.md names.
func unprivilegedIDs() (uid, gid string) {
	if u, err := user.Lookup("ccee"); err == nil {
		return u.Uid, u.Gid
	}
	return "61523", "61523"
}

// identityOf returns the lines of /proc/PID/status about whose process it is, by name; see proc_pid_status(5). Ids are the real,
// effective, saved and file system one.
func identityOf(t *testing.T, pid int, task string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		lines[name] = strings.Join(strings.Fields(value), " ")
	}
	return lines
}

// TestEachPartHasItsUser: redis, worker and api run as the user ccee in each thread, without a supplementary group or a capability that
// they could use; of the parts the daemon alone is root. SECURITY.md builds on that.
func TestEachPartHasItsUser(t *testing.T) {
	s := sharedUp(t)
	uid, gid := unprivilegedIDs()
	four := func(id string) string { return strings.Join([]string{id, id, id, id}, " ") }
	none := strings.Repeat("0", 16)
	for _, part := range []string{"redis", "worker", "api", "daemon"} {
		pid, err := s.child(part)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"Uid": four(uid), "Gid": four(gid), "Groups": "", "CapInh": none, "CapPrm": none, "CapEff": none, "CapAmb": none}
		if part == "daemon" {
			want = map[string]string{"Uid": four("0"), "Gid": four("0")}
		}
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("%s has no threads: %v", part, err)
		}
		for _, task := range tasks {
			got := identityOf(t, pid, task.Name())
			for name, value := range want {
				if got[name] != value {
					t.Errorf("%s, thread %s: %s is %q, want %q", part, task.Name(), name, got[name], value)
				}
			}
			if part == "daemon" && got["CapEff"] == none {
				t.Error("the daemon has no capability: this test does not see them")
			}
		}
	}
	for _, p := range s.family() { // no further process of the stack may be root unnoticed
		status := identityOf(t, p.pid, fmt.Sprint(p.pid))
		if name := filepath.Base(p.args[0]); status["Uid"] == four("0") && p.pid != s.cmd.Process.Pid && name != "sandbox-init" && (len(p.args) < 2 || p.args[1] != "daemon") {
			t.Errorf("%q (pid %d) is root", p.args, p.pid)
		}
	}
}
