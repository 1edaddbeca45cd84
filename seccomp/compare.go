// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Reach is how many of the calls of a name a policy lets through.
type Reach string

// The reaches.
const (
	ReachNone Reach = "none"
	ReachSome Reach = "some" // it depends on the arguments
	ReachAll  Reach = "all"
)

// Change is a system call that two policies treat differently.
type Change struct {
	Name string `json:"name"`
	Was  Reach  `json:"was"`
	Is   Reach  `json:"is"`
	// Why the first policy refuses the call, or some of its arguments: the comments of the rules that say so. "" where only the default
	// does.
	Why string `json:"why,omitempty"`
}

// More reports whether the second policy lets more through. Where both look at arguments it may: their rules are different.
func (c Change) More() bool { return c.Was != ReachAll && c.Is != ReachNone }

// Compare returns how p differs from base on t, in the order of the calls' names.
func (p *Policy) Compare(base *Policy, t Target) ([]Change, error) {
	old, err := base.ruleset(t)
	if err != nil {
		return nil, fmt.Errorf("seccomp policy: %w", err)
	}
	now, err := p.ruleset(t)
	if err != nil {
		return nil, fmt.Errorf("seccomp policy: %w", err)
	}
	var changes []Change
	for _, name := range names(t.Arch) {
		c := Change{Name: name, Was: old.reach(name), Is: now.reach(name)}
		if c.Was != c.Is || c.Is == ReachSome && !sameRules(old.effective(name), now.effective(name)) {
			c.Why = base.why(old.rules[name])
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// maxNr is above the number of every system call: they go up to some 470, and later kernels continue from there.
const maxNr = 1024

// names are the known system calls of an architecture, sorted.
func names(a Arch) []string {
	var all []string
	for nr := range int32(maxNr) {
		if Known(nr, a) {
			all = append(all, Name(nr, a))
		}
	}
	slices.Sort(all)
	return all
}

func (d Decision) lets() bool { return d.Action == ActAllow || d.Action == ActLog }

func (rs *ruleset) reach(name string) Reach {
	rest := rs.fallback.lets()
	for _, r := range rs.effective(name) {
		if len(r.args) > 0 && r.lets() != rest {
			return ReachSome
		}
		if len(r.args) == 0 {
			rest = r.lets()
		}
	}
	if rest {
		return ReachAll
	}
	return ReachNone
}

func sameRules(a, b []rule) bool {
	return slices.EqualFunc(a, b, func(x, y rule) bool { return x.same(y.Decision) && reflect.DeepEqual(x.args, y.args) })
}

// why gathers the comments of rules that refuse.
func (p *Policy) why(rules []rule) string {
	var all []string
	for _, r := range rules {
		if comment := p.Syscalls[r.Rule].Comment; !r.lets() && comment != "" && !slices.Contains(all, comment) {
			all = append(all, comment)
		}
	}
	return strings.Join(all, " ")
}
