package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"
	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

func benchProfileCommand() *cli.Command {
	return &cli.Command{
		Name:  "profile",
		Usage: "measure what ccee bench simulate needs to know of this host",
		Description: `For each language: how long a hello takes alone, in a sandbox that was made ahead and in one that was not, and how much CPU time one takes
when many run at once. The daemon must serve nobody else meanwhile. It takes about half a minute a language.

   ccee bench profile > host.json
   ccee bench profile -l python,java > host.json`,
		Flags: []cli.Flag{
			socketFlag(),
			&cli.StringFlag{Name: "languages", Aliases: []string{"l"}, Value: "python,javascript,java", Usage: "`LIST` with commas"},
			intFlag("jobs", "", 40, 1, 1000, "jobs of each kind that are timed alone"),
			&cli.DurationFlag{Name: "for", Value: 5 * time.Second, Usage: "`DURATION` of the load with many at once"},
		},
		Action: noArgs(benchProfile),
	}
}

// What waits between jobs whose sandboxes are made ahead, which is long enough for the next one to be made.
const (
	profileFirst    = 3  // that are not timed
	profilePauses   = 15 // times as long as a cold job takes
	profileMinPause = 200 * time.Millisecond
)

func benchProfile(ctx context.Context, cmd *cli.Command) error {
	c := client.New(cmd.String("socket"))
	p := capacity.Profile{Cores: runtime.NumCPU()}
	for name := range strings.SplitSeq(cmd.String("languages"), ",") {
		source, there := benchPrograms[strings.TrimSpace(name)]
		if !there {
			return usageError{fmt.Errorf("--languages has %q, of which there is no program to measure: python, javascript, java", name)}
		}
		spec := job.Spec{Language: strings.TrimSpace(name), Source: source, Run: job.Limits{CPUMillicores: 1000}}
		l, err := profileLanguage(ctx, c, spec, p.Cores, int(cmd.Int64("jobs")), cmd.Duration("for"), func(what string) { fmt.Fprintf(cmd.Root().ErrWriter, "%s: %s\n", spec.Language, what) })
		if err != nil {
			return refused(err)
		}
		p.Languages = append(p.Languages, l)
	}
	out := json.NewEncoder(cmd.Root().Writer)
	out.SetIndent("", "  ")
	return out.Encode(p)
}

func profileLanguage(ctx context.Context, c *client.Client, spec job.Spec, cores, jobs int, during time.Duration, tell func(string)) (capacity.Language, error) {
	l := capacity.Language{Name: spec.Language}
	tell("alone, in sandboxes made for it")
	cold := spec
	cold.Run.TmpBytes = job.DefaultRun.TmpBytes / 2 // no sandbox is prewarmed with such a /tmp: daemon/plan/warm.go
	times, _, err := alone(ctx, c, cold, jobs, profileMinPause)
	if err != nil {
		return l, err
	}
	l.ColdMs = capacity.NewTimes(times).P50
	tell("alone, in sandboxes made ahead")
	pause := max(profileMinPause, time.Duration(profilePauses*l.ColdMs)*time.Millisecond)
	if times, l.WarmCPUMs, err = alone(ctx, c, spec, jobs, pause); err != nil {
		return l, err
	}
	warm := capacity.NewTimes(times)
	l.WarmMs, l.WarmP99Ms = warm.P50, warm.P99
	tell("many at once")
	step, err := benchOnce(ctx, c, spec, 4*cores, during)
	if err != nil {
		return l, err
	}
	l.ColdCPUMs, l.MemoryMiB = 1000*float64(cores)/step.JobsPerSecond, float64(step.MemoryPeakBytes)/job.MiB
	for _, v := range []*float64{&l.WarmMs, &l.WarmP99Ms, &l.WarmCPUMs, &l.ColdMs, &l.ColdCPUMs, &l.MemoryMiB} {
		*v = math.Round(100**v) / 100
	}
	return l, nil
}

// alone runs the job again and again and returns how many seconds each took, but for the first ones, and how much CPU time one took.
func alone(ctx context.Context, c *client.Client, spec job.Spec, n int, pause time.Duration) (times []float64, cpuMs float64, err error) {
	var before float64
	for i := range n + profileFirst {
		if i == profileFirst {
			if before, err = busyMs(); err != nil {
				return nil, 0, err
			}
		}
		spec.ID = "bench-" + rand.Text()
		began := time.Now()
		res, err := c.Run(ctx, spec)
		took := time.Since(began)
		switch {
		case err != nil:
			return nil, 0, err
		case res.Status != job.Succeeded:
			return nil, 0, fmt.Errorf("a job is %s, %s", res.Status, res.Verdict)
		case i >= profileFirst:
			times = append(times, took.Seconds())
		}
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(pause):
		}
	}
	after, err := busyMs()
	return times, (after - before) / float64(n), err
}

// busyMs is the CPU time that this host has used: proc_stat(5).
func busyMs() (float64, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	const tick = 10 // ms: USER_HZ is 100 on every architecture that we know
	sum := 0.0
	for i, field := range strings.Fields(line) {
		switch i {
		case 1, 2, 3, 6, 7: // user, nice, system, irq, softirq
			n, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/stat: %w", err)
			}
			sum += n
		}
	}
	return tick * sum, nil
}
