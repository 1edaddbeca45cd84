package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/ccee-dev/ccee/nsjail"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say what this host can do, what is missing and how to get it",
		Description: `Tries, as root, what the jails are built from and looks for what the rest needs. The exit code is 1 when something
needed is missing.

   ccee doctor
   ccee doctor --escape                              # does every control hold? in a real jail, harmless if not
   ccee doctor --shared                              # can one job hold up all others? takes some minutes, best on an idle host
   ccee doctor --shared --only fsync --json          # one of these alone
   ccee doctor --json | jq '.checks[] | select(.ok | not)'`,
		Flags: []cli.Flag{
			socketFlag(), imagesFlag(), seccompFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print the checks as JSON"},
			&cli.BoolFlag{Name: "escape", Usage: "try to get out of a jail of this host, some 400 ways, instead"},
			&cli.BoolFlag{Name: "shared", Usage: "have a jail abuse what this host has once (locks, disk, tables), and time what that does to others, instead"},
			&cli.StringFlag{Name: "only", Usage: "with --shared, the one `ABUSE` to try"},
		},
		Action: noArgs(doctor),
	}
}

func doctor(ctx context.Context, cmd *cli.Command) error {
	if cmd.Bool("escape") {
		return doctorEscape(ctx, cmd)
	}
	if cmd.Bool("shared") {
		return doctorShared(ctx, cmd)
	}
	var checks []check
	for _, c := range append(nsjail.Probe(), checkRedisServer(ctx), checkUser()) {
		checks = append(checks, check{Check: c})
	}
	if url := os.Getenv("REDIS_URL"); url != "" {
		checks = append(checks, checkRedisSettings(ctx, url))
	}
	checks = append(checks, checkStore(ctx, cmd.String("images")), checkDaemon(ctx, cmd.String("socket")))
	healthy := true
	for _, c := range checks {
		healthy = healthy && (c.OK || !c.Needed)
	}
	out := cmd.Root().Writer
	var err error
	if cmd.Bool("json") {
		err = printChecksJSON(out, healthy, checks)
	} else {
		err = printChecks(out, checks)
	}
	if err != nil {
		return fmt.Errorf("print the checks: %w", err)
	}
	if !healthy {
		return exit{1, nil}
	}
	return nil
}

func printChecksJSON(w io.Writer, healthy bool, checks []check) error {
	type line struct {
		Name    string `json:"name"`
		OK      bool   `json:"ok"`
		Unknown bool   `json:"unknown,omitempty"`
		Needed  bool   `json:"needed"`
		Detail  string `json:"detail"`
		Fix     string `json:"fix,omitempty"`
	}
	all := struct {
		OK     bool   `json:"ok"`
		Checks []line `json:"checks"`
	}{OK: healthy}
	for _, c := range checks {
		l := line{Name: c.Name, OK: c.OK, Unknown: c.unknown, Needed: c.Needed, Detail: c.Detail}
		if !c.OK {
			l.Fix = c.Fix
		}
		all.Checks = append(all.Checks, l)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

// word is what c came to, in the width of all such words, and its colour on a terminal.
func (c check) word() (word, colour string) {
	switch {
	case c.OK:
		return "ok     ", "\x1b[32m"
	case c.unknown:
		return "unknown", "\x1b[33m"
	case c.Needed:
		return "MISSING", "\x1b[31m"
	default:
		return "without", "\x1b[33m"
	}
}

func printChecks(w io.Writer, checks []check) error {
	f, ok := w.(*os.File)
	coloured := ok && term.IsTerminal(int(f.Fd()))
	for _, c := range checks {
		word, colour := c.word()
		if coloured {
			word = colour + word + "\x1b[0m"
		}
		if _, err := fmt.Fprintf(w, "%s  %-24s %s\n", word, c.Name, c.Detail); err != nil {
			return err
		}
		if !c.OK && c.Fix != "" {
			fmt.Fprintf(w, "%35s-> %s\n", "", c.Fix)
		}
	}
	return nil
}
