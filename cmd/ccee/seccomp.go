// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ccee-dev/ccee/policy"
	"github.com/ccee-dev/ccee/seccomp"

	"github.com/urfave/cli/v3"
)

func seccompCommand() *cli.Command {
	return &cli.Command{
		Name:  "seccomp",
		Usage: "show and explain system call policies, and check yours before a daemon uses it",
		Description: `A policy is JSON as the OCI runtime specification and Docker write it. The built-in one is an allow list; the calls that
jobs were denied are in their results (deniedSyscalls), in the daemon's log and in ccee_daemon_denied_syscalls_total.

   ccee seccomp show > mine.json
   ccee seccomp check mine.json                       # then: ccee daemon --seccomp mine.json
   ccee seccomp explain ptrace
   ccee seccomp explain --seccomp mine.json clone 0x10000000`,
		Commands: []*cli.Command{
			{Name: "show", Usage: "print the built-in policy", Action: noArgs(seccompShow)},
			seccompCheckCommand(),
			{Name: "explain", Usage: "show what a policy does with a call, and by which rule", ArgsUsage: "SYSCALL [ARGUMENT]...", Action: seccompExplain,
				Flags: []cli.Flag{seccompFlag(), &cli.BoolFlag{Name: "json", Usage: "print JSON"}}},
		},
	}
}

func seccompShow(_ context.Context, cmd *cli.Command) error {
	enc := json.NewEncoder(cmd.Root().Writer)
	enc.SetIndent("", "\t")
	enc.SetEscapeHTML(false)
	return enc.Encode(seccomp.Default())
}

func seccompExplain(_ context.Context, cmd *cli.Command) error {
	call, err := parseCall(cmd.Args().Slice())
	if err != nil {
		return usageError{err}
	}
	p, err := policy.Load(cmd.String("seccomp"))
	if err != nil {
		return err
	}
	target, err := seccomp.Host()
	if err != nil {
		return err
	}
	call.Arch = target.Arch
	if !isCall(call) {
		return usageError{fmt.Errorf("%s has no system call %q", target.Arch, call.Name)}
	}
	d, err := p.Decide(target, call)
	if err != nil {
		return usageError{err}
	}
	comment := "no rule: the default"
	switch {
	case d.Rule >= 0:
		comment = p.Syscalls[d.Rule].Comment
	case d.Rule == seccomp.CoreLimit:
		comment = "no rule: the limit on core files stays 1 under any policy, or a crash could start a program of the host; the call returns 0 without effect"
	}
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		return json.NewEncoder(out).Encode(struct {
			Call     string         `json:"call"`
			Action   seccomp.Action `json:"action"`
			Decision string         `json:"decision"`
			Rule     int            `json:"rule"` // -1: the default; -2: the limit on core files, which is in every policy
			Comment  string         `json:"comment"`
		}{call.Name, d.Action, d.String(), d.Rule, comment})
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", call.Name, d)
	if err == nil && d.Rule >= 0 {
		_, err = fmt.Fprintf(out, "by rule %d: %s\n", d.Rule, comment)
	} else if err == nil {
		_, err = fmt.Fprintln(out, comment)
	}
	return err
}

// isCall reports whether there is a call of that name. Numbers go up to some 470; those of later kernels follow.
func isCall(call seccomp.Call) bool {
	for nr := range int32(1024) {
		if seccomp.Name(nr, call.Arch) == call.Name {
			return true
		}
	}
	return false
}

// parseCall reads a call's name and its arguments, each a number.
func parseCall(args []string) (call seccomp.Call, err error) {
	if len(args) == 0 || len(args) > 1+len(call.Args) {
		return call, fmt.Errorf("ccee seccomp explain needs a SYSCALL and at most %d arguments", len(call.Args))
	}
	call.Name = args[0]
	for i, s := range args[1:] {
		if call.Args[i], err = strconv.ParseUint(s, 0, 64); err != nil {
			return call, fmt.Errorf("argument %q is not a number such as 3 or 0x10", s)
		}
	}
	return call, nil
}
