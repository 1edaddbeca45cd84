package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/nsjail/shared"

	"github.com/urfave/cli/v3"
)

// doctorShared is ccee doctor --shared.
func doctorShared(ctx context.Context, cmd *cli.Command) error {
	if err := needRoot("doctor --shared", "it builds jails"); err != nil {
		return err
	}
	policy, err := loadPolicy(cmd.String("seccomp"))
	if err != nil {
		return err
	}
	abuses, err := chosenAbuses(cmd.String("only"))
	if err != nil {
		return err
	}
	dir := cmd.String("images")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = os.TempDir()
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that has seen enough is an error of ours to print, and what was made is removed
	out := cmd.Root().Writer
	asJSON := cmd.Bool("json")
	var all []shared.Outcome
	err = daemon.SharedTest(ctx, policy, dir, abuses, func(o shared.Outcome) error {
		all = append(all, o)
		if asJSON {
			return nil
		}
		return printShared(out, o) // at once: it takes minutes
	})
	if err != nil {
		return fmt.Errorf("abuse what the host has once: %w", err)
	}
	if asJSON {
		if err := printSharedJSON(out, all); err != nil {
			return fmt.Errorf("print the outcomes: %w", err)
		}
	}
	if slices.ContainsFunc(all, shared.Outcome.Harms) {
		return exit{1, nil}
	}
	return nil
}

// chosenAbuses are all, or the one of that name.
func chosenAbuses(name string) ([]shared.Abuse, error) {
	if name == "" {
		return shared.Abuses, nil
	}
	var names []string
	for _, a := range shared.Abuses {
		if a.Name == name {
			return []shared.Abuse{a}, nil
		}
		names = append(names, a.Name)
	}
	return nil, fmt.Errorf("there is no abuse %q; there are %s", name, strings.Join(names, ", "))
}

// printShared prints one outcome in the columns of printChecks.
func printShared(w io.Writer, o shared.Outcome) error {
	word, detail, f := "held   ", "refused: "+o.Refused, o.Worst()
	if o.Refused == "" {
		detail = fmt.Sprintf("%s: median %s instead of %s (%.1f times), p99 %s instead of %s (%.1f times)", f.What,
			rounded(f.Median), rounded(f.ControlMedian), f.MedianRatio(), rounded(f.P99), rounded(f.ControlP99), f.P99Ratio())
	}
	if o.Harms() {
		word = "HARMS  "
	}
	if _, err := fmt.Fprintf(w, "%s  %-24s %s\n", word, o.Name, detail); err != nil || !o.Harms() {
		return err
	}
	_, err := fmt.Fprintf(w, "%34s%s\n%34s-> %s\n", "", o.Object, "", o.Bound)
	return err
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

func printSharedJSON(w io.Writer, outcomes []shared.Outcome) error {
	type factor struct {
		What            string  `json:"what"`
		MedianMs        float64 `json:"medianMs"`
		P99Ms           float64 `json:"p99Ms"`
		ControlMedianMs float64 `json:"controlMedianMs"`
		ControlP99Ms    float64 `json:"controlP99Ms"`
		MedianFactor    float64 `json:"medianFactor"`
		P99Factor       float64 `json:"p99Factor"`
		Harms           bool    `json:"harms"`
	}
	type line struct {
		Abuse   string   `json:"abuse"`
		Object  string   `json:"object"`
		Bound   string   `json:"bound"`
		OK      bool     `json:"ok"`
		Refused string   `json:"refused,omitempty"`
		Factors []factor `json:"factors,omitempty"`
	}
	all := struct {
		OK     bool   `json:"ok"`
		Abuses []line `json:"abuses"`
	}{OK: !slices.ContainsFunc(outcomes, shared.Outcome.Harms)}
	for _, o := range outcomes {
		l := line{Abuse: o.Name, Object: o.Object, Bound: o.Bound, OK: !o.Harms(), Refused: o.Refused}
		for _, f := range o.Factors {
			l.Factors = append(l.Factors, factor{f.What, inMs(f.Median), inMs(f.P99), inMs(f.ControlMedian), inMs(f.ControlP99),
				f.MedianRatio(), f.P99Ratio(), f.Harms()})
		}
		all.Abuses = append(all.Abuses, l)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

func inMs(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
