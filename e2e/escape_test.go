// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// weakPolicy lets jobs have keyrings, which no namespace divides.
const weakPolicy = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
	{"names": ["socket", "io_uring_setup", "bpf", "userfaultfd", "perf_event_open"], "action": "SCMP_ACT_ERRNO"}]}`

// TestDoctorEscape: on this host every control holds, in the binary that users have.
func TestDoctorEscape(t *testing.T) {
	requireHost(t)
	got := ccee(t, "", nil, "doctor", "--escape", "--json")
	var report struct {
		OK       bool
		Attempts []struct {
			Control, Attempt, Evidence, Fix string
			Held                            bool
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	for _, a := range report.Attempts {
		if !a.Held || a.Evidence == "" || a.Fix != "" {
			t.Errorf("%+v, want held with evidence and nothing to do", a)
		}
	}
	if got.code != 0 || !report.OK || len(report.Attempts) < 300 {
		t.Errorf("code %d, ok %v, %d attempts, want 0, true and some 400\n%s", got.code, report.OK, len(report.Attempts), got.stderr)
	}
	if got := ccee(t, "", nil, "doctor", "--escape"); got.code != 0 || !strings.Contains(got.stdout, "held     keyrings ") || strings.Contains(got.stdout, "->") {
		t.Errorf("as text: %+v", got)
	}
}

// TestDoctorEscapeNames: a control that does not hold is named, with evidence and what to do.
func TestDoctorEscapeNames(t *testing.T) {
	requireHost(t)
	got := ccee(t, "", nil, "doctor", "--escape", "--seccomp", file(t, "weak.json", weakPolicy))
	for _, want := range []string{"ESCAPED  keyrings                 add_key: it worked and returned ", "-> the seccomp policy must refuse add_key", "held     identity "} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	if got.code != 1 {
		t.Errorf("exit code %d, want 1\n%s", got.code, got.stderr)
	}
}

// TestDaemonSelfTest: a daemon whose controls don't hold does not serve, or marks every result.
func TestDaemonSelfTest(t *testing.T) {
	requireHost(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-weak-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	args := []string{"daemon", "--socket", socket, "--images", images(), "--cgroup", cgroupName("weak"), "--seccomp", file(t, "weak.json", weakPolicy)}

	got := ccee(t, "", nil, args...)
	if got.code != 1 || !strings.Contains(got.stderr, "keyrings, add_key: it worked") || !strings.Contains(got.stderr, "doctor --escape") {
		t.Errorf("got %+v, want exit code 1 and what did not hold", got)
	}

	p := startPart(t, nil, binary, append(args, "--allow-degraded")...)
	var r job.Result
	eventually(t, "the daemon serves", 20*time.Second, func() (bool, string) {
		got := ccee(t, "", nil, "run", "--socket", socket, "--json", file(t, "a.py", "print(1)"))
		return json.Unmarshal([]byte(got.stdout), &r) == nil, got.stderr
	})
	if r.Tier != "jail-degraded" || r.Status != job.Succeeded {
		t.Errorf("tier %q, status %s, want jail-degraded and succeeded", r.Tier, r.Status)
	}
	p.stop(t)
	if !strings.Contains(p.log.String(), "keyrings, add_key") {
		t.Errorf("the log does not say what did not hold:\n%s", p.log.String())
	}
}
