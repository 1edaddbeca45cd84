package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"
	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

func benchReplayCommand() *cli.Command {
	return &cli.Command{
		Name:  "replay",
		Usage: "have jobs come as they would, whether or not this host keeps up, and say how long they took",
		Description: `The jobs are hellos. They come at random at a rate, or as in a trace, and none waits for another one: past what the host can do they pile up.
ccee bench simulate with the same flags says what to expect.

   ccee bench replay --rate 60 --mix python=8,java=1
   ccee bench replay --trace yesterday.csv --json | jq .timeMs`,
		Flags:  append(loadFlags(20*time.Second), socketFlag()),
		Action: noArgs(benchReplay),
	}
}

// replayResult is what came of it.
type replayResult struct {
	capacity.Result
	Refused int `json:"refused"` // the daemon was busy
}

func benchReplay(ctx context.Context, cmd *cli.Command) error {
	all, err := arrivals(cmd, 1)
	if err != nil {
		return err
	}
	for _, a := range all {
		if benchPrograms[a.Language] == "" {
			return usageError{fmt.Errorf("there is no program to run in %q: python, javascript, java", a.Language)}
		}
	}
	times, refusals, err := replay(ctx, client.New(cmd.String("socket")), all)
	if err != nil {
		return refused(err)
	}
	r := replayResult{Result: capacity.Result{Hosts: 1, Jobs: len(all)}, Refused: refusals}
	var together []float64
	for _, name := range []string{"python", "javascript", "java"} {
		if t := times[name]; len(t) > 0 {
			together = append(together, t...)
			r.ByLanguage = append(r.ByLanguage, capacity.ByLanguage{Language: name, Jobs: len(t), Time: capacity.NewTimes(t)})
		}
	}
	r.Time = capacity.NewTimes(together)
	if err := printLoad(cmd, r, r.Result); err != nil || r.Refused == 0 || cmd.Bool("json") {
		return err
	}
	_, err = fmt.Fprintf(cmd.Root().Writer, "%d jobs were refused: the daemon was busy\n", r.Refused)
	return err
}

// replay runs the jobs at their times and returns how many seconds those after the first tenth took, by language.
func replay(ctx context.Context, c *client.Client, all []capacity.Arrival) (times map[string][]float64, refusals int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	times = map[string][]float64{}
	var mu sync.Mutex // guards times and refusals
	var jobs sync.WaitGroup
	began := time.Now()
	for i, a := range all {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(began.Add(time.Duration(a.At * float64(time.Second))))):
		}
		if ctx.Err() != nil {
			break
		}
		jobs.Go(func() {
			spec := job.Spec{ID: "bench-" + rand.Text(), Language: a.Language, Source: benchPrograms[a.Language], Run: job.Limits{CPUMillicores: 1000}}
			start := time.Now()
			res, err := c.Run(ctx, spec)
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && job.ErrorCode(err) == job.EBusy:
				refusals++
			case err != nil:
				cancel(err)
			case res.Status != job.Succeeded:
				cancel(fmt.Errorf("a job is %s, %s", res.Status, res.Verdict))
			case i >= len(all)/10:
				times[a.Language] = append(times[a.Language], took.Seconds())
			}
		})
	}
	jobs.Wait()
	return times, refusals, context.Cause(ctx)
}
