// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/nsjail/escape"
	"github.com/ccee-dev/ccee/seccomp"
)

// These tests take away one mask, one rlimit or one rule of the policy at a time, and hold the probes to notice. What they
// don't notice is in the tables, with the reason.

// mutations runs the probes, which are a program of their own here: the test's is not static.
type mutations struct {
	selfTest
	program []byte
}

func newMutations(t *testing.T) mutations { return mutations{newSelfTest(t), probeProgram(t)} }

// lost runs all probes and says which got through. The filter does not ask, which would slow the many refusals down.
func (t mutations) lost(tb testing.TB, policy *seccomp.Policy, adjust func(*nsjail.Config, *nsjail.Process)) []string {
	tb.Helper()
	program, err := policy.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	p := probePlan(escape.All)
	p.Steps[0].Files = []nsjail.File{{Name: "probe", Data: t.program, Mode: 0o755}}
	p.Steps[0].Args[0] = plan.WorkDir + "/probe"
	cfg, proc := p.Config(t.root, t.slot), filter{bpf: program.BPF}.on(p.Steps[0].Process())
	if adjust != nil {
		adjust(&cfg, &proc)
	}
	outcomes, err := t.try(tb.Context(), cfg, proc)
	if err != nil {
		tb.Fatal(err)
	}
	var lost []string
	for _, o := range outcomes {
		if !o.Held {
			lost = append(lost, o.Group+"/"+o.Name)
		}
	}
	return lost
}

// leftOut reports the outcome of one mutation, and holds it against the table of those that nothing notices.
func leftOut(t *testing.T, what string, lost []string, unnoticed map[string]string) {
	t.Helper()
	why, known := unnoticed[what]
	t.Logf("without %s: %.200s", what, strings.Join(lost, ", "))
	if len(lost) == 0 && !known {
		t.Errorf("nothing notices that this is missing: %s", what)
	}
	if len(lost) > 0 && known {
		t.Logf("%s is noticed on this machine, unlike what the table says: %s", what, why)
	}
}

func TestMasksLeftOut(t *testing.T) {
	self := newMutations(t)
	const empty = "there is nothing in it on this machine"
	unnoticed := map[string]string{
		"/proc/acpi": empty, "/proc/driver": empty, "/proc/locks": "shows only locks of the reader's own pid namespace",
	}
	for i, mask := range probePlan(escape.All).Config("", 0).MaskedPaths {
		if _, err := os.Stat(mask); err != nil {
			t.Logf("%s is not on this machine", mask)
			continue
		}
		lost := self.lost(t, seccomp.Default(), func(cfg *nsjail.Config, _ *nsjail.Process) {
			cfg.MaskedPaths = slices.Delete(slices.Clone(cfg.MaskedPaths), i, i+1)
		})
		leftOut(t, mask, lost, unnoticed)
	}
}

func TestRlimitsLeftOut(t *testing.T) {
	self := newMutations(t)
	unnoticed := map[string]string{
		"rlimit 13": "RLIMIT_NICE is 0 where nobody has raised it", "rlimit 14": "RLIMIT_RTPRIO is 0 where nobody has raised it",
	}
	p := probePlan(escape.All)
	for i, limit := range p.Steps[0].Process().Rlimits {
		lost := self.lost(t, seccomp.Default(), func(_ *nsjail.Config, p *nsjail.Process) {
			p.Rlimits = slices.Delete(slices.Clone(p.Rlimits), i, i+1)
		})
		leftOut(t, fmt.Sprintf("rlimit %d", limit.Type), lost, unnoticed)
	}
}

func TestRulesLeftOut(t *testing.T) {
	self := newMutations(t)
	unnoticed := map[string]string{ // by the first call of the rule
		"open": "a tmpfs before Linux 6.6 refuses O_DIRECT itself", "openat": "the same",
		"clone":       "max_user_namespaces is 0, and the other namespaces take a capability",
		"clone3":      "the same",
		"unshare":     "the same",
		"init_module": "each takes a capability",
		"fadvise64":   "what leaves the page cache can't be seen from inside",
		"socketpair":  "the kernel has no pairs but of AF_UNIX, and of TIPC where that is built in",
	}
	base := seccomp.Default()
	done := map[string]bool{}
	for _, rule := range base.Syscalls {
		what := strings.Join(rule.Names, " ")
		if rule.Action == seccomp.ActAllow || done[what] {
			continue
		}
		done[what] = true
		leftOut(t, rule.Names[0], self.lost(t, allowing(t, base, rule.Names), nil), unnoticed)
	}
}

// allowing is the policy with all rules for these calls replaced by one that allows them.
func allowing(t *testing.T, p *seccomp.Policy, names []string) *seccomp.Policy {
	t.Helper()
	out := *p
	out.Syscalls = []seccomp.Syscall{{Names: names, Action: seccomp.ActAllow}}
	for _, s := range p.Syscalls {
		s.Names = slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool { return slices.Contains(names, name) })
		if len(s.Names) > 0 {
			out.Syscalls = append(out.Syscalls, s)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := seccomp.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
