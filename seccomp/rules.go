// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"slices"
	"syscall"
)

// Decision is the effect of a policy on a call.
type Decision struct {
	Action Action
	Errno  syscall.Errno // of ActErrno; the message of ActTrace
	Rule   int           // index in Policy.Syscalls, or one of those below
}

// Values of Decision.Rule where no rule of the policy decides.
const (
	NoRule    = -1 // the default, or that the architecture is a foreign one
	CoreLimit = -2 // the limit on core files stays, whatever the policy says: else a crash could start a program of the host
)

func decision(a Action, errno *uint16, rule int) Decision {
	d := Decision{Action: a, Rule: rule}
	switch a {
	case ActKill:
		d.Action = ActKillThread
	case ActErrno, ActTrace:
		d.Errno = syscall.EPERM
		if errno != nil {
			d.Errno = syscall.Errno(*errno)
		}
	}
	return d
}

func (d Decision) same(e Decision) bool { return d.Action == e.Action && d.Errno == e.Errno }

func (d Decision) String() string {
	if d.Action == ActErrno {
		return fmt.Sprintf("%s %d (%s)", d.Action, uint16(d.Errno), d.Errno.Error())
	}
	return string(d.Action)
}

// rule is a Syscall for one name.
type rule struct {
	args []Arg
	Decision
}

// ruleset is a policy as it holds on one target: of each call the rules that differ from the default.
type ruleset struct {
	target   Target
	fallback Decision
	marks    bool     // see marked
	names    []string // in the policy's order
	rules    map[string][]rule
}

func (p *Policy) ruleset(t Target) (*ruleset, error) {
	if err := p.checkTarget(t); err != nil {
		return nil, err
	}
	rs := &ruleset{target: t, fallback: decision(p.DefaultAction, p.DefaultErrno, NoRule), rules: map[string][]rule{}}
	for i, s := range p.Syscalls {
		if !s.holdsOn(t) {
			continue
		}
		for _, name := range s.names() {
			if err := rs.add(name, rule{args: s.Args, Decision: decision(s.Action, s.Errno, i)}); err != nil {
				return nil, fmt.Errorf("syscalls[%d]: %w", i, err)
			}
		}
	}
	return rs, nil
}

func (p *Policy) checkTarget(t Target) error {
	if t.Arch.goarch() == "" {
		return fmt.Errorf("%q is not an architecture to compile for, only %s and %s are", t.Arch, X86_64, AARCH64)
	}
	archs := slices.Clone(p.Architectures)
	for _, m := range p.ArchMap {
		archs = append(archs, m.Arch)
	}
	if len(archs) > 0 && !slices.Contains(archs, t.Arch) && !slices.Contains(archs, "SCMP_ARCH_NATIVE") {
		return fmt.Errorf("it is for %v; add %s", archs, t.Arch)
	}
	return nil
}

// holdsOn applies includes and excludes as Docker does, for a program without capabilities.
func (s Syscall) holdsOn(t Target) bool {
	if in := s.Includes; in != nil {
		if len(in.Caps) > 0 || len(in.Arches) > 0 && !slices.Contains(in.Arches, t.Arch.goarch()) || in.MinKernel != "" && !in.since(t.Kernel) {
			return false
		}
	}
	if ex := s.Excludes; ex != nil {
		if slices.Contains(ex.Arches, t.Arch.goarch()) || ex.MinKernel != "" && ex.since(t.Kernel) {
			return false
		}
	}
	return true
}

func (c *Condition) since(k Kernel) bool {
	min, err := parseKernel(c.MinKernel)
	return err == nil && k.atLeast(min) // Validate has parsed it already
}

// add takes a rule in, unless it contradicts one that is there: libseccomp's man page leaves open which of them would win.
func (rs *ruleset) add(name string, r rule) error {
	for _, other := range rs.rules[name] {
		if !r.same(other.Decision) && overlap(r.args, other.args) {
			return fmt.Errorf("%s gets %s, but syscalls[%d] says %s of some of the same calls; change the args so that none matches both",
				name, r, other.Rule, other)
		}
	}
	if _, seen := rs.rules[name]; !seen {
		rs.names = append(rs.names, name)
	}
	rs.rules[name] = append(rs.rules[name], r)
	return nil
}

// effective returns the rules of a call that libseccomp gets: it refuses rules that repeat the default, and needs no others
// beside one without conditions.
func (rs *ruleset) effective(name string) []rule {
	var list []rule
	for _, r := range rs.rules[name] {
		switch {
		case r.same(rs.fallback):
		case len(r.args) == 0:
			return []rule{r}
		default:
			list = append(list, r)
		}
	}
	return list
}

func (rs *ruleset) decide(c Call) Decision {
	if c.Arch != rs.target.Arch {
		return Decision{Action: ActKillProcess, Rule: NoRule}
	}
	if d, ok := coreLimit(c); ok {
		return d
	}
	for _, r := range rs.rules[c.Name] {
		if r.matches(c.Args) {
			return r.Decision
		}
	}
	return rs.fallback
}

func (r rule) matches(args [6]uint64) bool {
	for _, a := range r.args {
		if !a.holds(args[a.Index]) {
			return false
		}
	}
	return true
}

// Call is a system call as the kernel shows it to a filter.
type Call struct {
	Arch Arch
	Name string
	Args [6]uint64
}

// Decide returns the effect of the policy, compiled for t, on a call. It is a model of the compiled filter: it asks neither
// libseccomp nor the kernel.
func (p *Policy) Decide(t Target, c Call) (Decision, error) {
	rs, err := p.ruleset(t)
	if err != nil {
		return Decision{}, fmt.Errorf("seccomp policy: %w", err)
	}
	return rs.decide(c), nil
}
