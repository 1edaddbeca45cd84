// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadBound: a policy may have maxSize bytes, and not one more, whatever that byte is.
func TestLoadBound(t *testing.T) {
	policy := []byte(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"}]}`)
	for size, ok := range map[int]bool{maxSize: true, maxSize + 1: false, maxSize + 2: false} {
		path := filepath.Join(t.TempDir(), "policy.json")
		padded := append(bytes.Clone(policy), bytes.Repeat([]byte(" "), size-len(policy))...)
		if err := os.WriteFile(path, padded, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestMore(t *testing.T) {
	for _, tt := range []struct {
		was, is Reach
		want    bool
	}{
		{ReachNone, ReachSome, true}, {ReachNone, ReachAll, true}, {ReachSome, ReachAll, true}, {ReachSome, ReachSome, true},
		{ReachAll, ReachSome, false}, {ReachAll, ReachNone, false}, {ReachSome, ReachNone, false}, {ReachNone, ReachNone, false}, {ReachAll, ReachAll, false},
	} {
		if got := (Change{Was: tt.was, Is: tt.is}).More(); got != tt.want {
			t.Errorf("from %s to %s: %v, want %v", tt.was, tt.is, got, tt.want)
		}
	}
}

// TestHint: a name that is near gets a proposal, one that is far gets none.
func TestHint(t *testing.T) {
	known := []string{"read", "write", "sched_setaffinity"}
	for name, want := range map[string]string{
		"raed": `; did you mean "read"?`, "reed": `; did you mean "read"?`, "READ": `; did you mean "read"?`, "sched_setafinnity": `; did you mean "sched_setaffinity"?`,
		"zzzz": "", "": "", "quite_another": "", strings.Repeat("read", 20): "",
	} {
		if got := hint(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestInstructionBound: what stands before the rules fits in front of the largest program that is accepted.
func TestInstructionBound(t *testing.T) {
	rs := func(rules int) *ruleset {
		set := &ruleset{target: linux61, fallback: Decision{Action: ActErrno, Errno: 1}, names: []string{"ioctl"}, rules: map[string][]rule{}}
		for i := range rules {
			set.rules["ioctl"] = append(set.rules["ioctl"], rule{args: []Arg{{Index: 1, Value: uint64(i), Op: OpEqual}}, Decision: Decision{Action: ActAllow}})
		}
		return set
	}
	low, high := 1, maxInstructions // accepted, refused
	for high-low > 1 {
		middle := (low + high) / 2
		prog, err := compileRules(rs(middle))
		if err != nil {
			high = middle
			continue
		}
		low = middle
		n := len(prog.BPF) / instructionSize
		if ours := len(keepCoreLimit(X86_64, 0)) / instructionSize; n-ours > maxInstructions-prefixMax {
			t.Errorf("%d rules are accepted with %d instructions, %d of them ours; want at most %d of the rules", middle, n, ours, maxInstructions-prefixMax)
		}
	}
	if low < 500 {
		t.Errorf("only %d rules are accepted", low)
	}
}
