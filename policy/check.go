// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/doctor"
	"github.com/ccee-dev/ccee/nsjail/escape"
	"github.com/ccee-dev/ccee/seccomp"
)

// Report is the result of checking a policy.
type Report struct {
	Digest       string           `json:"digest"`
	Rules        int              `json:"rules"`
	Instructions int              `json:"instructions"`
	Unknown      []string         `json:"unknownSyscalls"`
	Changes      []seccomp.Change `json:"changes"` // against the built-in policy
	Attempts     int              `json:"attempts"`
	Hellos       []Hello          `json:"hellos,omitempty"`   // the first programs of the languages
	NotTried     string           `json:"notTried,omitempty"` // why it was not tried in a sandbox
	Fault        string           `json:"fault,omitempty"`    // why it is not fit for use
}

// Check compiles a policy and compares it with the built-in one. It needs no privilege.
func Check(p *seccomp.Policy) (r Report, err error) {
	if err := daemon.CheckPolicy(p); err != nil {
		return r, err
	}
	program, err := p.Compile()
	if err != nil {
		return r, err
	}
	target, err := seccomp.Host()
	if err != nil {
		return r, err
	}
	changes, err := p.Compare(seccomp.Default(), target)
	if err != nil {
		return r, err
	}
	const instruction = 8 // bytes of a struct sock_filter
	return Report{Digest: program.Digest, Rules: len(p.Syscalls), Instructions: len(program.BPF) / instruction, Unknown: program.Unknown, Changes: changes}, nil
}

// Try adds what a sandbox under the policy shows: the attempts that a daemon makes when it starts, and the first program of each language
// in the store in images. It needs root.
func (r *Report) Try(ctx context.Context, p *seccomp.Policy, images string) {
	if os.Geteuid() != 0 {
		r.NotTried = "that needs root"
		return
	}
	outcomes, err := daemon.SelfTest(ctx, p, escape.Fast)
	switch {
	case errors.Is(err, daemon.ErrDynamic):
		r.NotTried = err.Error()
		return
	case errors.Is(err, daemon.ErrProbesDidNotRun):
		r.Fault = explain(p, "it", err).Error()
		return
	case err != nil:
		r.Fault = fmt.Sprintf("no program can be run under it: %v", err)
		return
	}
	r.Attempts = len(outcomes)
	if lost := escape.Lost(outcomes); lost != nil {
		r.Fault = "jobs could get through here: " + strings.Join(lost, "; ")
		return
	}
	if err := doctor.CheckImages(images); err != nil {
		r.Hellos = []Hello{{"languages", true, fmt.Sprintf("not tried: %v", err)}}
		return
	}
	if r.Hellos, err = helloAll(ctx, images, p); err != nil {
		r.Fault = fmt.Sprintf("the languages can't be tried: %v", err)
	}
	for _, h := range r.Hellos {
		if !h.OK {
			r.Fault = "not every language runs under it"
		}
	}
}

// Print writes the report for people.
func (r *Report) Print(out io.Writer) error {
	var b strings.Builder
	word := "ok"
	if r.Fault != "" {
		word = "REFUSED"
	}
	fmt.Fprintf(&b, "%s: %d rules, %d instructions, %s\n", word, r.Rules, r.Instructions, r.Digest)
	for _, name := range r.Unknown {
		fmt.Fprintf(&b, "%s is not known here: it gets the default action\n", name)
	}
	var more, less, reasons []string
	for _, c := range r.Changes {
		switch {
		case !c.More():
			less = append(less, c.Name)
		case c.Why != "":
			reasons = append(reasons, fmt.Sprintf("   %-18s %s; the built-in policy refuses it: %s\n", c.Name, arguments[c.Is], shorten(c.Why)))
		default:
			more = append(more, c.Name)
		}
	}
	fmt.Fprintf(&b, "beside the built-in policy it lets through %s, %d of which that one refuses for a reason, and refuses %s\n",
		plural(len(more)+len(reasons), "call"), len(reasons), plural(len(less), "call"))
	b.WriteString(strings.Join(reasons, ""))
	for _, l := range []struct {
		word  string
		names []string
	}{{"more", more}, {"less", less}} {
		if l.names != nil {
			fmt.Fprintf(&b, "   %s: %s\n", l.word, strings.Join(l.names, " "))
		}
	}
	switch {
	case r.NotTried != "":
		fmt.Fprintf(&b, "not tried in a sandbox: %s\n", r.NotTried)
	case r.Fault == "":
		fmt.Fprintf(&b, "%s to get out of a sandbox under it were refused\n", plural(r.Attempts, "attempt"))
	default:
		fmt.Fprintf(&b, "%s\n", r.Fault)
	}
	for _, h := range r.Hellos {
		fmt.Fprintf(&b, "   %s: %s\n", h.Language, cmp.Or(h.Evidence, "its first program runs"))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// shorten returns the beginning of a text.
func shorten(s string) string {
	const chars = 160
	if all := []rune(s); len(all) > chars {
		return string(all[:chars]) + "..."
	}
	return s
}

var arguments = map[seccomp.Reach]string{seccomp.ReachAll: "with all arguments", seccomp.ReachSome: "with some arguments"}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
