package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

// benchPrograms are what ccee bench runs where no file is given.
var benchPrograms = map[string]string{
	"python":     `print("hello")`,
	"javascript": `console.log("hello")`,
	"java":       `class Main { public static void main(String[] a) { System.out.println("hello"); } }`,
}

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure how many jobs this host's daemon runs, and how fast",
		ArgsUsage: "[FILE]",
		Description: `Runs the same program again and again, by more and more clients at once, and says for each step how many jobs ended in a second and
how long one took from the request to its result. The daemon's queue and limits are in force, so this is what workers get. The load is
real: use it on a host that serves nobody. Size a host by the step where more clients bring no more jobs, only longer times.

   ccee bench                                   # a hello in Python
   ccee bench -l java --clients 1,4,16 --for 10s
   ccee bench --json work.py | jq .jobsPerSecond

ccee bench profile measures a host, simulate says what a fleet of such hosts does, replay has a load come for real.`,
		Flags: []cli.Flag{
			socketFlag(),
			&cli.StringFlag{Name: "language", Aliases: []string{"l"}, Usage: "`NAME` of the language (default: by FILE's extension, else python)"},
			&cli.StringFlag{Name: "clients", Value: "1,2,4,8,16", Usage: "how many at once, a `LIST` with commas"},
			&cli.DurationFlag{Name: "for", Value: 3 * time.Second, Usage: "`DURATION` of each step"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON, one step a line"},
		},
		Action:   bench,
		Commands: []*cli.Command{benchProfileCommand(), benchReplayCommand(), benchSimulateCommand()},
	}
}

// benchStep is what one step came to.
type benchStep struct {
	Clients         int     `json:"clients"`
	Jobs            int     `json:"jobs"`
	JobsPerSecond   float64 `json:"jobsPerSecond"`
	P50Ms           float64 `json:"p50Ms"`
	P99Ms           float64 `json:"p99Ms"`
	P999Ms          float64 `json:"p999Ms"`
	Refused         int     `json:"refused"` // the daemon was busy
	MemoryPeakBytes int64   `json:"memoryPeakBytes"`
}

func bench(ctx context.Context, cmd *cli.Command) error {
	counts, err := parseClients(cmd.String("clients"))
	if err != nil {
		return usageError{err}
	}
	if d := cmd.Duration("for"); d <= 0 {
		return usageError{fmt.Errorf("--for is %v, it must be above 0", d)}
	}
	c := client.New(cmd.String("socket"))
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
		return exit{1, fmt.Errorf("the program does not do well: it is %s, %s", res.Status, res.Verdict)}
	}
	print := benchPrinter(cmd)
	for _, n := range counts {
		step, err := benchOnce(ctx, c, spec, n, cmd.Duration("for"))
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
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 1024 {
			return nil, fmt.Errorf("--clients %q is no list of whole numbers from 1 to 1024, such as 1,4,16", list)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

// benchSpec is the job that is run.
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
	spec := job.Spec{ID: "bench-" + rand.Text(), Language: language.Name, Source: benchPrograms[language.Name], Run: job.Limits{CPUMillicores: 1000}}
	if file == "" {
		if spec.Source == "" {
			return spec, usageError{fmt.Errorf("there is no program of ours in %s: give a FILE", language.Name)}
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

// benchLoad is one step while it goes on.
type benchLoad struct {
	client *client.Client
	spec   job.Spec
	until  time.Time

	mu     sync.Mutex // guards all below
	step   benchStep
	times  []time.Duration
	failed error
}

// benchOnce has n clients run the job for that long.
func benchOnce(ctx context.Context, c *client.Client, spec job.Spec, n int, during time.Duration) (benchStep, error) {
	began := time.Now()
	l := &benchLoad{client: c, spec: spec, until: began.Add(during), step: benchStep{Clients: n}}
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() {
			for time.Now().Before(l.until) && l.one(ctx) {
			}
		})
	}
	clients.Wait()
	if l.failed != nil {
		return l.step, l.failed
	}
	if len(l.times) == 0 {
		return l.step, errors.Join(ctx.Err(), fmt.Errorf("no job ended within %v: raise --for", during))
	}
	slices.Sort(l.times)
	at := func(share float64) float64 {
		return float64(l.times[min(len(l.times)-1, int(share*float64(len(l.times))))].Microseconds()) / 1000
	}
	l.step.Jobs, l.step.JobsPerSecond = len(l.times), float64(len(l.times))/time.Since(began).Seconds()
	l.step.P50Ms, l.step.P99Ms, l.step.P999Ms = at(0.5), at(0.99), at(0.999)
	return l.step, nil
}

// one runs the job once and reports whether to go on.
func (l *benchLoad) one(ctx context.Context) bool {
	spec := l.spec
	spec.ID = "bench-" + rand.Text()
	start := time.Now()
	res, err := l.client.Run(ctx, spec)
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil && job.ErrorCode(err) == job.EBusy:
		l.step.Refused++
	case err != nil:
		l.failed = err
	case res.Status != job.Succeeded:
		l.failed = fmt.Errorf("a job is %s, %s, under a load that it should bear: give it more room, or use fewer clients", res.Status, res.Verdict)
	default:
		l.times = append(l.times, took)
		for s := range res.EveryStep() {
			l.step.MemoryPeakBytes = max(l.step.MemoryPeakBytes, s.Usage.MemoryPeakBytes)
		}
	}
	return l.failed == nil && ctx.Err() == nil
}

// benchPrinter prints steps as they end.
func benchPrinter(cmd *cli.Command) func(benchStep) error {
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		return func(s benchStep) error { return json.NewEncoder(out).Encode(s) }
	}
	fmt.Fprintf(out, "%8s %8s %8s %8s %8s %8s %8s\n", "CLIENTS", "JOBS/S", "P50 MS", "P99 MS", "P99.9", "REFUSED", "MIB EACH")
	return func(s benchStep) error {
		_, err := fmt.Fprintf(out, "%8d %8.1f %8.2f %8.2f %8.2f %8d %8.1f\n", s.Clients, s.JobsPerSecond, s.P50Ms, s.P99Ms, s.P999Ms, s.Refused, float64(s.MemoryPeakBytes)/job.MiB)
		return err
	}
}
