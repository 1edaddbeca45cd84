// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// unnoticed are the set-up ops that may be left out without any probe noticing, and why.
var unnoticed = map[string]string{
	`write "/proc/self/oom_score_adj" "1000"`: "it is for the host's sake: TestInside looks at it",
	"set ids 0 0":          "the kernel's default for a clone into a user namespace with these maps is the same",
	"death signal SIGKILL": "e2e.TestKill looks at what a killed daemon leaves",
	"session keyring":      "who starts this test has none; the filter refuses keyctl",
	"not dumpable":         "hidepid hides sandbox-init; TestProbesSeeWhatIsMissing leaves both out",
	`mount "devpts" "dev/pts" "ptmxmode" "666" "mode" "620" "max" "16" nosuid,noexec`: "without it there are no terminals: " +
		"daemon.TestNetworkPrograms has a program that uses some",
	`bind "/sys" "sys" recursive`: "what is in it may be read: TestCgroupView looks at it",
	`hostname "sandbox"`:          "it is no control: TestInside looks at it",
	`mask "proc/kcore"`:           "only the host's root can read it; daemon.TestMasksLeftOut is about the daemon's list",
	`mask "proc/keys"`:            "nobody else's keys are in it",
	`mask "proc/acpi"`:            "a machine may have none",
}

// TestLeaveOut leaves out one op of the set-up at a time: either nothing runs any more, or a probe notices. Landlock is off,
// since it holds by itself much of what mounts do; TestLandlockAlone is about that.
func TestLeaveOut(t *testing.T) {
	b := withoutLandlock(t)
	cfg := b.config()
	if base := b.lost(t, cfg); len(base) > 0 {
		t.Fatalf("with every op: %v", base)
	}
	all := sandboxProgram(cfg, host{})
	seen := map[string]bool{}
	for i, left := range all[:len(all)-1] { // all but WAIT
		b.spawner.program = func(cfg Config, h host) []op { return slices.Delete(sandboxProgram(cfg, h), i, i+1) }
		lost := b.lost(t, cfg)
		t.Logf("without %v: %.200s", left, strings.Join(lost, "; "))
		why, known := unnoticed[left.String()]
		seen[left.String()] = true
		if len(lost) == 0 && !known {
			t.Errorf("nothing notices that this is missing: %v", left)
		}
		if len(lost) > 0 && known {
			t.Errorf("%v is noticed, unlike what the table says (%s): %v", left, why, lost)
		}
	}
	for op := range maps.Keys(unnoticed) {
		if !seen[op] {
			t.Errorf("the table has %s, the set-up doesn't", op)
		}
	}
}

// lost runs the probes that need no policy, and says which got through, or what broke.
func (b *box) lost(t *testing.T, cfg Config) (lost []string) {
	t.Helper()
	sb, err := b.spawner.New(t.Context(), cfg)
	if err != nil {
		return []string{"broken: " + err.Error()}
	}
	defer sb.Close()
	r, err := sb.Run(t.Context(), process("sandbox-probe", "bare"))
	switch {
	case err != nil:
		return []string{"broken: " + err.Error()}
	case r.Verdict != Exited || r.ExitCode != 0:
		return []string{"broken: " + string(r.Stderr.Data)}
	}
	for line := range strings.Lines(string(r.Stdout.Data)) {
		what, how, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if what != "end" && !holds(how) {
			lost = append(lost, what+": "+how)
		}
	}
	return lost
}

// TestLandlockAlone: with everything mounted as wide as can be, Landlock still holds what is not to be written or executed.
func TestLandlockAlone(t *testing.T) {
	b := requireSandbox(t)
	if b.spawner.host.landlock == 0 {
		t.Skip("no Landlock in this kernel")
	}
	wide := mutant(t, "if (attributes && set_attributes(copy, 0, attributes, 0) < 0)", "if (0)",
		"FSMOUNT_CLOEXEC, (unsigned)op->arg[0])", "FSMOUNT_CLOEXEC, 0)")
	overlay := wide.spawner.host.initOnOverlay // which a mutant's executable is not: it is a copy in memory
	wide.spawner.host = b.spawner.host
	wide.spawner.host.initOnOverlay = overlay
	for _, tt := range []struct{ args, want string }{
		{"write /new", "Permission denied"}, {"write /etc/new", "Permission denied"}, {"write /dev/new", "Permission denied"},
		{"write /workspace/new", ""}, {"write /tmp/new", ""},
	} {
		r := wide.run(t, process(strings.Fields(tt.args)...))
		if got := string(r.Stderr.Data) + string(r.Stdout.Data); tt.want == "" && r.ExitCode != 0 || !strings.Contains(got, tt.want) {
			t.Errorf("%s: exit code %d, %q, want %q", tt.args, r.ExitCode, got, tt.want)
		}
	}
}
