package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/nsjail/escape"
	"github.com/ccee-dev/ccee/seccomp"

	"github.com/urfave/cli/v3"
)

func seccompCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "say whether a policy is fit for use, and what it lets through beside the built-in one", ArgsUsage: "FILE",
		Description: `Compiles the policy, holds it to the built-in one, and, as root, tries in a sandbox under it what a daemon tries when it starts, and runs
the first program of each language that there is an image of. The exit code is 1 when something of that fails.

   ccee seccomp check mine.json
   ccee seccomp check --json mine.json | jq '.changes[] | select(.is == "all" and .why)'`,
		Action: seccompCheck, Flags: []cli.Flag{imagesFlag(), &cli.BoolFlag{Name: "json", Usage: "print JSON"}},
	}
}

// policyCheck is what was found of a policy.
type policyCheck struct {
	Digest       string           `json:"digest"`
	Rules        int              `json:"rules"`
	Instructions int              `json:"instructions"`
	Unknown      []string         `json:"unknownSyscalls"`
	Changes      []seccomp.Change `json:"changes"` // against the built-in policy
	Attempts     int              `json:"attempts"`
	Hellos       []hello          `json:"hellos,omitempty"`   // the first programs of the languages
	NotTried     string           `json:"notTried,omitempty"` // why it was not tried in a sandbox
	Fault        string           `json:"fault,omitempty"`    // why it is not fit for use
}

func seccompCheck(ctx context.Context, cmd *cli.Command) error {
	if cmd.Args().Len() != 1 {
		return usageError{errors.New("ccee seccomp check needs one FILE: see ccee seccomp --help")}
	}
	p, err := seccomp.Load(cmd.Args().First())
	if err != nil {
		return err
	}
	found, err := checkPolicy(p)
	if err != nil {
		return err
	}
	found.try(ctx, p, cmd.String("images"))
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		err = json.NewEncoder(out).Encode(found)
	} else {
		err = found.print(out)
	}
	if err == nil && found.Fault != "" {
		err = fmt.Errorf("%s is not fit for use", cmd.Args().First())
	}
	return err
}

// checkPolicy is what can be said without a sandbox.
func checkPolicy(p *seccomp.Policy) (found policyCheck, err error) {
	if err := daemon.CheckPolicy(p); err != nil {
		return found, err
	}
	program, err := p.Compile()
	if err != nil {
		return found, err
	}
	target, err := seccomp.Host()
	if err != nil {
		return found, err
	}
	changes, err := p.Compare(seccomp.Default(), target)
	if err != nil {
		return found, err
	}
	const instruction = 8 // bytes of a struct sock_filter
	return policyCheck{Digest: program.Digest, Rules: len(p.Syscalls), Instructions: len(program.BPF) / instruction, Unknown: program.Unknown, Changes: changes}, nil
}

// try runs what a daemon tries when it starts, and the first program of each language in the store in images.
func (f *policyCheck) try(ctx context.Context, p *seccomp.Policy, images string) {
	if os.Geteuid() != 0 {
		f.NotTried = "that needs root"
		return
	}
	outcomes, err := daemon.SelfTest(ctx, p, escape.Fast)
	switch {
	case errors.Is(err, daemon.ErrDynamic):
		f.NotTried = err.Error()
		return
	case err != nil:
		f.Fault = fmt.Sprintf("no program can be run under it: %v", err)
		return
	}
	f.Attempts = len(outcomes)
	if lost := escape.Lost(outcomes); lost != nil {
		f.Fault = "jobs could get through here: " + strings.Join(lost, "; ")
		return
	}
	if err := checkImages(images); err != nil {
		f.Hellos = []hello{{"languages", true, fmt.Sprintf("not tried: %v", err)}}
		return
	}
	if f.Hellos, err = sayHello(ctx, images, p); err != nil {
		f.Fault = fmt.Sprintf("the languages can't be tried: %v", err)
	}
	for _, h := range f.Hellos {
		if !h.OK {
			f.Fault = "not every language runs under it"
		}
	}
}

func (f *policyCheck) print(out io.Writer) error {
	var b strings.Builder
	word := "ok"
	if f.Fault != "" {
		word = "REFUSED"
	}
	fmt.Fprintf(&b, "%s: %d rules, %d instructions, %s\n", word, f.Rules, f.Instructions, f.Digest)
	for _, name := range f.Unknown {
		fmt.Fprintf(&b, "%s is not known here: it gets the default action\n", name)
	}
	var more, less, reasons []string
	for _, c := range f.Changes {
		switch {
		case !c.More():
			less = append(less, c.Name)
		case c.Why != "":
			reasons = append(reasons, fmt.Sprintf("   %-18s %s; the built-in policy refuses it: %s\n", c.Name, arguments[c.Is], cut(c.Why)))
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
	case f.NotTried != "":
		fmt.Fprintf(&b, "not tried in a sandbox: %s\n", f.NotTried)
	case f.Fault == "":
		fmt.Fprintf(&b, "%s to get out of a sandbox under it were refused\n", plural(f.Attempts, "attempt"))
	default:
		fmt.Fprintf(&b, "%s\n", f.Fault)
	}
	for _, h := range f.Hellos {
		fmt.Fprintf(&b, "   %s: %s\n", h.Language, cmp.Or(h.Evidence, "its first program runs"))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// cut is the beginning of a text.
func cut(s string) string {
	const chars = 160
	if r := []rune(s); len(r) > chars {
		return string(r[:chars]) + "..."
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
