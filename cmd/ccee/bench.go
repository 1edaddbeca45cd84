// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"
	"github.com/ccee-dev/ccee/bench/load"
	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure how many jobs this host's daemon runs, and how fast",
		ArgsUsage: "[FILE]",
		Description: `Runs the same program repeatedly with more and more clients at once, and reports for each step how many jobs ended in a second and
how long one took from the request to its result. The jobs pass the daemon's queue and limits, so this is what workers get. The load is
real: use it on a host that serves nobody. Size a host by the step from which more clients bring no more jobs, only longer times.

   ccee bench                                   # a hello in Python
   ccee bench -l java --clients 1,4,16 --for 10s
   ccee bench --json work.py | jq .jobsPerSecond

ccee bench profile measures a host, simulate predicts what a fleet of such hosts does, replay runs jobs that arrive at random.`,
		Flags: append(daemonFlags(),
			&cli.StringFlag{Name: "language", Aliases: []string{"l"}, Usage: "`NAME` of the language (default: by FILE's extension, else python)"},
			&cli.StringFlag{Name: "clients", Value: "1,2,4,8,16", Usage: "clients at once, a `LIST` with commas"},
			&cli.DurationFlag{Name: "for", Value: 3 * time.Second, Usage: "`DURATION` of each step"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON, one step a line"},
		),
		Action:   bench,
		Commands: []*cli.Command{benchProfileCommand(), benchReplayCommand(), benchSimulateCommand()},
	}
}

func bench(ctx context.Context, cmd *cli.Command) error {
	counts, err := parseClients(cmd.String("clients"))
	if err != nil {
		return usageError{err}
	}
	if d := cmd.Duration("for"); d <= 0 {
		return usageError{fmt.Errorf("--for is %v, it must be above 0", d)}
	}
	c, err := openDaemon(cmd)
	if err != nil {
		return err
	}
	spec, err := benchSpec(ctx, cmd, c)
	if err != nil {
		return err
	}
	// The first job of a language waits for its image, and shows whether the program works.
	res, err := c.Run(ctx, spec)
	if err != nil {
		return refused(err)
	}
	if res.Status != job.Succeeded {
		return exit{1, fmt.Errorf("the benchmark program failed: %s (%s)", res.Status, res.Verdict)}
	}
	print := stepPrinter(cmd)
	for _, n := range counts {
		step, err := load.Measure(ctx, c, spec, n, cmd.Duration("for"))
		if err != nil {
			return refused(err)
		}
		if err := print(step); err != nil {
			return err
		}
	}
	return nil
}

// parseClients reads "1,2,4".
func parseClients(list string) ([]int, error) {
	var counts []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 1024 {
			return nil, fmt.Errorf("--clients %q must be a list of whole numbers from 1 to 1024, such as 1,4,16", list)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

// benchSpec returns the job to run.
func benchSpec(ctx context.Context, cmd *cli.Command, c *client.Client) (job.Spec, error) {
	file, wanted := cmd.Args().First(), cmd.String("language")
	if file == "" && wanted == "" {
		wanted = "python"
	}
	languages, err := c.Languages(ctx)
	if err != nil {
		return job.Spec{}, exit{codeOurs, err}
	}
	language, err := pickLanguage(wanted, file, languages)
	if err != nil {
		return job.Spec{}, usageError{err}
	}
	spec := load.Spec(language.Name, load.Program(language.Name))
	if file == "" {
		if spec.Source == "" {
			return spec, usageError{fmt.Errorf("ccee has no program in %s: give a FILE", language.Name)}
		}
		return spec, nil
	}
	source, stdin, err := readProgram(file)
	if err != nil {
		return spec, usageError{err}
	}
	spec.Source, spec.Files = wireSource(source, language.SourceFile)
	spec.Stdin = stdin
	return spec, nil
}

// stepPrinter returns what prints a step when it ends.
func stepPrinter(cmd *cli.Command) func(load.Step) error {
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		return func(s load.Step) error { return json.NewEncoder(out).Encode(s) }
	}
	fmt.Fprintf(out, "%8s %8s %8s %8s %8s %8s %8s\n", "CLIENTS", "JOBS/S", "P50 MS", "P99 MS", "P99.9", "REFUSED", "MIB EACH")
	return func(s load.Step) error {
		_, err := fmt.Fprintf(out, "%8d %8.1f %8.2f %8.2f %8.2f %8d %8.1f\n",
			s.Clients, s.JobsPerSecond, s.P50Ms, s.P99Ms, s.P999Ms, s.Refused, float64(s.MemoryPeakBytes)/job.MiB)
		return err
	}
}

func benchProfileCommand() *cli.Command {
	return &cli.Command{
		Name:  "profile",
		Usage: "measure what ccee bench simulate needs to know of this host",
		Description: `For each language: how long a hello takes alone, in a prewarmed sandbox and in one made on demand, and how much CPU time one takes
when many run at once. The daemon must serve nobody else meanwhile. It takes about half a minute a language.

   ccee bench profile > host.json
   ccee bench profile -l python,java > host.json`,
		Flags: append(daemonFlags(),
			&cli.StringFlag{Name: "languages", Aliases: []string{"l"}, Value: strings.Join(load.Languages, ","), Usage: "`LIST` with commas"},
			intFlag("jobs", "", 40, 1, 1000, "jobs of each kind that are timed alone"),
			&cli.DurationFlag{Name: "for", Value: 5 * time.Second, Usage: "`DURATION` of the load with many at once"},
		),
		Action: noArgs(benchProfile),
	}
}

func benchProfile(ctx context.Context, cmd *cli.Command) error {
	c, err := openDaemon(cmd)
	if err != nil {
		return err
	}
	p := capacity.Profile{Cores: runtime.NumCPU()}
	languages := splitList(cmd.String("languages"))
	for _, name := range languages {
		if !slices.Contains(load.Languages, name) {
			return usageError{fmt.Errorf("--languages: there is no program to measure in %q: there are %s", name, strings.Join(load.Languages, ", "))}
		}
	}
	if len(languages) == 0 {
		return usageError{errors.New("--languages names no language")}
	}
	for _, name := range languages {
		progress := func(what string) { fmt.Fprintf(cmd.Root().ErrWriter, "%s: %s\n", name, what) }
		l, err := load.Profile(ctx, c, name, p.Cores, int(cmd.Int64("jobs")), cmd.Duration("for"), progress)
		if err != nil {
			return refused(err)
		}
		p.Languages = append(p.Languages, l)
	}
	out := json.NewEncoder(cmd.Root().Writer)
	out.SetIndent("", "  ")
	return out.Encode(p)
}

func benchReplayCommand() *cli.Command {
	return &cli.Command{
		Name:  "replay",
		Usage: "run jobs that arrive at random or as in a trace, and report how long they took",
		Description: `The jobs are hellos. They arrive whether or not this host keeps up, and none waits for another: past what the host can do they pile up.
ccee bench simulate with the same flags predicts the result.

   ccee bench replay --rate 60 --mix python=8,java=1
   ccee bench replay --trace yesterday.csv --json | jq .timeMs`,
		Flags:  append(loadFlags(20*time.Second), daemonFlags()...),
		Action: noArgs(benchReplay),
	}
}

func benchReplay(ctx context.Context, cmd *cli.Command) error {
	all, err := arrivals(cmd, 1)
	if err != nil {
		return err
	}
	c, err := openDaemon(cmd)
	if err != nil {
		return err
	}
	r, err := load.Replay(ctx, c, all)
	if err != nil {
		return refused(err)
	}
	if err := printLoad(cmd, r, r.Result); err != nil || r.Refused == 0 || cmd.Bool("json") {
		return err
	}
	_, err = fmt.Fprintf(cmd.Root().Writer, "%d jobs were refused: the daemon was busy\n", r.Refused)
	return err
}
