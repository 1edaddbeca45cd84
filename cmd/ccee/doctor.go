// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/doctor"
	"github.com/ccee-dev/ccee/nsjail/escape"
	"github.com/ccee-dev/ccee/nsjail/shared"
	"github.com/ccee-dev/ccee/policy"

	"github.com/urfave/cli/v3"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "report what this host can do, what is missing and how to get it",
		Description: `Tries, as root, what the jails are built from and looks for what the rest needs. The exit code is 1 when something
needed is missing, when an escape worked, or when an abuse delays others.

   ccee doctor
   ccee doctor --escape                              # does every control hold? in a real jail, harmless if not
   ccee doctor --shared                              # can one job delay all others? takes some minutes, best on an idle host
   ccee doctor --shared --only fsync,fork --json     # some of these alone
   ccee doctor --json | jq '.checks[] | select(.ok | not)'`,
		Flags: []cli.Flag{
			socketFlag(), imagesFlag(), seccompFlag(), tierFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print the checks as JSON"},
			&cli.BoolFlag{Name: "escape", Usage: "try to get out of a jail of this host, some 400 ways, instead"},
			&cli.BoolFlag{Name: "shared", Usage: "have a jail abuse what the host has only once (locks, disk, tables), and time how much that delays others, instead"},
			&cli.StringFlag{Name: "only", Usage: "with --shared, the `ABUSES` to try, with commas"},
			&cli.FloatFlag{Name: "harm-median", Value: shared.DefaultBounds().Median, Usage: "with --shared, the `FACTOR` of the median above which a delay is harm"},
			&cli.FloatFlag{Name: "harm-p99", Value: shared.DefaultBounds().P99, Usage: "with --shared, the same `FACTOR` of the p99"},
		},
		Action: noArgs(runDoctor),
	}
}

// report is what ccee doctor prints at its end.
type report interface {
	Print(io.Writer) error
	PrintJSON(io.Writer) error
}

func runDoctor(ctx context.Context, cmd *cli.Command) error {
	switch {
	case cmd.Bool("escape") && cmd.Bool("shared"):
		return usageError{errors.New("--escape and --shared are two tests: choose one")}
	case !cmd.Bool("shared") && (cmd.IsSet("only") || cmd.IsSet("harm-median") || cmd.IsSet("harm-p99")):
		return usageError{errors.New("--only, --harm-median and --harm-p99 belong to --shared: add --shared")}
	case cmd.Bool("escape"):
		return doctorEscape(ctx, cmd)
	case cmd.Bool("shared"):
		return doctorShared(ctx, cmd)
	}
	r := doctor.Host(ctx, doctor.Options{RedisURL: os.Getenv("REDIS_URL"), Images: cmd.String("images"), Socket: cmd.String("socket")})
	return finish(cmd, r, r.Healthy())
}

// finish prints a report and chooses the exit code.
func finish(cmd *cli.Command, r report, good bool) error {
	print := r.Print
	if cmd.Bool("json") {
		print = r.PrintJSON
	}
	if err := print(cmd.Root().Writer); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if !good {
		return exit{1, nil}
	}
	return nil
}

func doctorEscape(ctx context.Context, cmd *cli.Command) error {
	if err := needRoot("doctor --escape", "it builds a jail"); err != nil {
		return err
	}
	p, err := policy.Load(cmd.String("seccomp"))
	if err != nil {
		return err
	}
	test := daemon.SelfTest
	if cmd.String("tier") == daemon.TierTask {
		test = daemon.SelfTestTask
	}
	outcomes, err := test(ctx, p, escape.All)
	if err != nil {
		return fmt.Errorf("try to get out of a jail: %w", err)
	}
	e := doctor.Escape(outcomes)
	return finish(cmd, e, e.Held())
}

func doctorShared(ctx context.Context, cmd *cli.Command) error {
	abuses, err := doctor.Abuses(cmd.String("only"))
	if err != nil {
		return usageError{err}
	}
	bounds := shared.Bounds{Median: cmd.Float("harm-median"), P99: cmd.Float("harm-p99")}
	if err := bounds.Check(); err != nil {
		return usageError{fmt.Errorf("--harm-median, --harm-p99: %w", err)}
	}
	if err := needRoot("doctor --shared", "it builds jails"); err != nil {
		return err
	}
	p, err := policy.Load(cmd.String("seccomp"))
	if err != nil {
		return err
	}
	dir := cmd.String("images")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = os.TempDir()
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that closes the pipe is an error to print, after what was made is removed
	var all doctor.Shared
	err = daemon.SharedTest(ctx, p, dir, abuses, bounds, func(o shared.Outcome) error {
		all = append(all, o)
		if cmd.Bool("json") {
			return nil
		}
		return doctor.PrintOutcome(cmd.Root().Writer, o) // at once: all of them take minutes
	})
	if err != nil {
		return fmt.Errorf("abuse what the host has only once: %w", err)
	}
	if cmd.Bool("json") {
		if err := all.PrintJSON(cmd.Root().Writer); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	}
	if !all.Harmless() {
		return exit{1, nil}
	}
	return nil
}
