package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/nsjail/escape"

	"github.com/urfave/cli/v3"
)

// doctorEscape is ccee doctor --escape.
func doctorEscape(ctx context.Context, cmd *cli.Command) error {
	if err := needRoot("doctor --escape", "it builds a jail"); err != nil {
		return err
	}
	policy, err := loadPolicy(cmd.String("seccomp"))
	if err != nil {
		return err
	}
	outcomes, err := daemon.SelfTest(ctx, policy, escape.All)
	if err != nil {
		return fmt.Errorf("try to get out of a jail: %w", err)
	}
	printOutcomes := printEscape
	if cmd.Bool("json") {
		printOutcomes = printEscapeJSON
	}
	if err := printOutcomes(cmd.Root().Writer, outcomes); err != nil {
		return fmt.Errorf("print the outcomes: %w", err)
	}
	if !allHeld(outcomes) {
		return exit{1, nil}
	}
	return nil
}

func allHeld(outcomes []escape.Outcome) bool {
	for _, o := range outcomes {
		if !o.Held {
			return false
		}
	}
	return true
}

// printEscape prints a line a control, in the columns of printChecks: result, control, evidence; and what to do.
func printEscape(w io.Writer, outcomes []escape.Outcome) error {
	groups, byGroup := []string{}, map[string][]escape.Outcome{}
	for _, o := range outcomes {
		if byGroup[o.Group] == nil {
			groups = append(groups, o.Group)
		}
		byGroup[o.Group] = append(byGroup[o.Group], o)
	}
	for _, g := range groups {
		if err := printControl(w, g, byGroup[g]); err != nil {
			return err
		}
	}
	return nil
}

func printControl(w io.Writer, group string, outcomes []escape.Outcome) error {
	if allHeld(outcomes) {
		_, err := fmt.Fprintf(w, "held     %-24s all of %d attempts refused\n", group, len(outcomes))
		return err
	}
	for _, o := range outcomes {
		if o.Held {
			continue
		}
		if _, err := fmt.Fprintf(w, "ESCAPED  %-24s %s: %s\n", group, o.Name, o.Evidence); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%33s-> %s\n", "", escape.Fix(group))
	return err
}

func printEscapeJSON(w io.Writer, outcomes []escape.Outcome) error {
	type line struct {
		Control  string `json:"control"`
		Attempt  string `json:"attempt"`
		Held     bool   `json:"held"`
		Evidence string `json:"evidence"`
		Fix      string `json:"fix,omitempty"`
	}
	all := struct {
		OK       bool   `json:"ok"`
		Attempts []line `json:"attempts"`
	}{OK: allHeld(outcomes)}
	for _, o := range outcomes {
		l := line{Control: o.Group, Attempt: o.Name, Held: o.Held, Evidence: o.Evidence}
		if !o.Held {
			l.Fix = escape.Fix(o.Group)
		}
		all.Attempts = append(all.Attempts, l)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}
