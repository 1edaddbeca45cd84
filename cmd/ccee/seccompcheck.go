// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ccee-dev/ccee/policy"
	"github.com/ccee-dev/ccee/seccomp"

	"github.com/urfave/cli/v3"
)

func seccompCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "report whether a policy is fit for use, and what it allows beyond the built-in one", ArgsUsage: "FILE",
		Description: `Compiles the policy, compares it with the built-in one, and, as root, makes in a sandbox under it the attempts that a daemon makes when it
starts, and runs the first program of each language that there is an image of. The exit code is 1 when one of these fails.

   ccee seccomp check mine.json
   ccee seccomp check --json mine.json | jq '.changes[] | select(.is == "all" and .why)'`,
		Action: seccompCheck, Flags: []cli.Flag{imagesFlag(), &cli.BoolFlag{Name: "json", Usage: "print JSON"}},
	}
}

func seccompCheck(ctx context.Context, cmd *cli.Command) error {
	if cmd.Args().Len() != 1 {
		return usageError{errors.New("ccee seccomp check needs one FILE: see ccee seccomp --help")}
	}
	p, err := seccomp.Load(cmd.Args().First())
	if err != nil {
		return err
	}
	r, err := policy.Check(p)
	if err != nil {
		return err
	}
	r.Try(ctx, p, cmd.String("images"))
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		err = json.NewEncoder(out).Encode(r)
	} else {
		err = r.Print(out)
	}
	if err == nil && r.Fault != "" {
		err = fmt.Errorf("%s is not fit for use", cmd.Args().First())
	}
	return err
}
