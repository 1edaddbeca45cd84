// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// exitStatus and signalStatus are wait statuses; see wait(2).
func exitStatus(code int) unix.WaitStatus          { return unix.WaitStatus(code << 8) }
func signalStatus(sig unix.Signal) unix.WaitStatus { return unix.WaitStatus(sig) }

func TestClassify(t *testing.T) {
	oom, refused := counters{oomKills: 1}, counters{pidsRefused: 3}
	exited := func(s unix.WaitStatus) ending { return ending{exited: true, status: s} }
	killed := func(v Verdict) ending { return ending{killed: true, gone: true, cause: v} }
	for _, tt := range []struct {
		name  string
		end   ending
		after counters
		want  Verdict
	}{
		{"exit 0", exited(exitStatus(0)), counters{}, Exited},
		{"exit 137 is no proof of a kill", exited(exitStatus(137)), counters{}, Exited},
		{"own SIGKILL is no proof of a limit", exited(signalStatus(unix.SIGKILL)), counters{}, Signaled},
		{"SIGSYS", exited(signalStatus(unix.SIGSYS)), counters{}, Signaled},
		{"SIGXFSZ", exited(signalStatus(unix.SIGXFSZ)), counters{}, FileSize},
		{"a child was OOM-killed, the parent went on", exited(exitStatus(0)), oom, OOMKilled},
		{"OOM killed everything", ending{gone: true}, oom, OOMKilled},
		{"OOM while the deadline came", killed(WallTime), oom, OOMKilled},
		{"deadline", killed(WallTime), counters{}, WallTime},
		{"deadline of a fork bomb", killed(WallTime), refused, WallTime},
		{"exit came with the deadline", ending{killed: true, cause: WallTime, exited: true}, counters{}, WallTime},
		{"CPU time", killed(CPUTime), counters{}, CPUTime},
		{"flood", killed(OutputLimit), counters{}, OutputLimit},
		{"cancelled", killed(Cancelled), counters{}, Cancelled},
		{"OOM event before the kill", killed(OOMKilled), counters{}, OOMKilled},
		{"ended at the deadline", ending{exited: true, wall: time.Second}, counters{}, Exited},
		{"ended just after the deadline", ending{exited: true, wall: time.Second + 1}, counters{}, WallTime},
		{"used all CPU time", exited(exitStatus(0)), counters{user: time.Second / 2, system: time.Second / 2}, Exited},
		{"used more CPU time", exited(exitStatus(0)), counters{user: time.Second / 2, system: time.Second/2 + 1}, CPUTime},
		{"wrote all it may", ending{exited: true, output: 10}, counters{}, Exited},
		{"wrote more", ending{exited: true, output: 11}, counters{}, OutputLimit},
		{"fork refused, failed", exited(exitStatus(1)), refused, PidsLimit},
		{"fork refused, coped", exited(exitStatus(0)), refused, Exited},
		{"exec failed", ending{startErr: errors.New("execve")}, counters{}, StartFailed},
		{"init gone", ending{gone: true}, counters{}, Internal},
	} {
		p := Process{WallTime: time.Second, CPUTime: time.Second, FloodMax: 10, Resources: testResources()}
		if got := classify(p, tt.end, counters{}, tt.after); got.Verdict != tt.want {
			t.Errorf("%s: verdict %v, want %v", tt.name, got.Verdict, tt.want)
		}
	}
}

func TestClassifyUsage(t *testing.T) {
	before := counters{user: time.Second, system: 2 * time.Second}
	after := counters{user: 3 * time.Second, system: 5 * time.Second, memoryPeak: 1000 + initMemory, pidsPeak: 4}
	got := classify(Process{Resources: testResources()}, ending{exited: true, wall: time.Minute}, before, after).Usage
	want := Usage{Wall: time.Minute, User: 2 * time.Second, System: 3 * time.Second, MemoryPeak: 1000, PidsPeak: 4}
	if got != want {
		t.Errorf("usage %+v, want %+v", got, want)
	}
}

// TestVerdictString: each verdict has a name of its own.
func TestVerdictString(t *testing.T) {
	seen := map[string]bool{"": true}
	for v := Internal; v <= Paused; v++ {
		if seen[v.String()] {
			t.Errorf("verdict %d is called %q, as another one is", int(v), v)
		}
		seen[v.String()] = true
	}
	names := map[Verdict]string{Internal: "Internal", Paused: "Paused", Paused + 1: "Verdict(13)", -1: "Verdict(-1)"}
	for v, want := range names {
		if got := fmt.Sprint(v); got != want {
			t.Errorf("verdict %d is called %s, want %s", int(v), got, want)
		}
	}
}
