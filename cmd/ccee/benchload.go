// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"

	"github.com/urfave/cli/v3"
)

// loadFlags describe the jobs that arrive.
func loadFlags(during time.Duration) []cli.Flag {
	return []cli.Flag{
		&cli.FloatFlag{Name: "rate", Value: 50, Usage: "`JOBS` a second"},
		&cli.StringFlag{Name: "mix", Value: "python=8,javascript=1,java=1", Usage: "`LANGUAGES` and their weights"},
		&cli.DurationFlag{Name: "for", Value: during, Usage: "`DURATION` of the load"},
		&cli.StringFlag{Name: "trace", Usage: "`FILE` with a line seconds,language for each job, instead of --rate, --mix and --for"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
	}
}

// arrivals returns those that the flags describe, or one part in so many of them: the same for the same flags.
func arrivals(cmd *cli.Command, parts int) ([]capacity.Arrival, error) {
	if file := cmd.String("trace"); file != "" {
		if cmd.IsSet("rate") || cmd.IsSet("mix") || cmd.IsSet("for") {
			return nil, usageError{errors.New("--trace has its own rate, mix and duration: leave out --rate, --mix and --for")}
		}
		f, err := os.Open(file)
		if err != nil {
			return nil, usageError{err}
		}
		defer f.Close()
		all, err := capacity.ReadTrace(f)
		if err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", file, err)}
		}
		return all, nil
	}
	rate, seconds := cmd.Float("rate"), cmd.Duration("for").Seconds()
	if !(rate > 0 && rate <= 1e7) || seconds <= 0 {
		return nil, usageError{fmt.Errorf("--rate is %v and --for %v: both must be above 0, the rate at most 10 million", rate, cmd.Duration("for"))}
	}
	mix, err := capacity.ParseMix(cmd.String("mix"))
	if err != nil {
		return nil, usageError{fmt.Errorf("--mix: %w", err)}
	}
	if rate*seconds/float64(parts) > capacity.MaxArrivals {
		return nil, usageError{fmt.Errorf("--rate %v makes %.0f jobs in %.0f s, at most %d are possible: set a shorter --for", rate, rate*seconds, seconds, capacity.MaxArrivals)}
	}
	all := capacity.Poisson(rate/float64(parts), seconds, mix, 1)
	if len(all) == 0 {
		return nil, usageError{fmt.Errorf("no job arrives in %.0f s at %v a second: set a longer --for", seconds, rate)}
	}
	return all, nil
}

// printLoad prints how long the jobs of a load took, for people or programs.
func printLoad(cmd *cli.Command, v any, r capacity.Result) error {
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		return json.NewEncoder(out).Encode(v)
	}
	fmt.Fprintf(out, "%-14s %8s %10s %10s %10s\n", "TIME", "JOBS", "P50 MS", "P99 MS", "P99.9 MS")
	row := func(name string, jobs int, t capacity.Times) {
		fmt.Fprintf(out, "%-14s %8d %10.2f %10.2f %10.2f\n", name, jobs, t.P50, t.P99, t.P999)
	}
	for _, l := range r.ByLanguage {
		row(l.Language, l.Jobs, l.Time)
	}
	row("all", r.Jobs, r.Time)
	return nil
}
