// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/ccee-dev/ccee/queue"

	"github.com/urfave/cli/v3"
)

// replayed is the result of a replay, with the names of the tool that it replaces.
type replayed struct {
	DLQQueue  string `json:"dlqQueue"`
	MainQueue string `json:"mainQueue"`
	TotalSeen int    `json:"totalSeen"`
	Recovered int    `json:"recovered"`
	Skipped   int    `json:"skipped"`
	Failed    int    `json:"failed"`
	DryRun    bool   `json:"dryRun"`
	ElapsedMs int64  `json:"elapsedMs"`
}

func dlqReplay(ctx context.Context, cmd *cli.Command) error {
	start := time.Now()
	q, err := openQueue(cmd)
	if err != nil {
		return err
	}
	defer q.Close()
	r := replayed{DLQQueue: cmd.String("dlq-name"), MainQueue: cmd.String("queue-name"), DryRun: cmd.Bool("dry-run")}
	next, err := deadPages(ctx, cmd, q, &r)
	if err != nil {
		return hinted(err)
	}
	err = r.run(ctx, q, next, int(cmd.Int64("attempts")), int(cmd.Int64("max")))
	r.ElapsedMs = time.Since(start).Milliseconds()
	return errors.Join(err, r.print(cmd.Root().Writer, cmd.Bool("json")))
}

// deadPages returns a function that reads the next of the jobs to replay; none: there are no more. They are those that the arguments name,
// or all that died before now, oldest first.
func deadPages(ctx context.Context, cmd *cli.Command, q *queue.Queue, r *replayed) (func() ([]queue.DeadLetter, error), error) {
	limit := int(cmd.Int64("limit"))
	if cmd.Args().Present() {
		dead, err := q.DeadLetters(ctx, limit)
		if err == nil {
			dead, err = named(cmd, dead)
		}
		return func() ([]queue.DeadLetter, error) {
			page := dead
			dead = nil
			return page, nil
		}, err
	}
	now, err := q.Now(ctx)
	return func() ([]queue.DeadLetter, error) {
		stayed := r.Skipped // what was recovered has left the list
		if r.DryRun {
			stayed = r.TotalSeen
		}
		return q.OldestDeadLetters(ctx, now, stayed, limit)
	}, err
}

// run replays the jobs of all pages, at most that many (0: all), until one fails: the next ones would fail in the same way.
func (r *replayed) run(ctx context.Context, q *queue.Queue, next func() ([]queue.DeadLetter, error), attempts, most int) error {
	for {
		page, err := next()
		if err != nil || len(page) == 0 {
			return err
		}
		for _, d := range page {
			if most > 0 && r.Recovered == most {
				return nil
			}
			if err := r.one(ctx, q, d, attempts); err != nil {
				return err
			}
		}
	}
}

func (r *replayed) one(ctx context.Context, q *queue.Queue, d queue.DeadLetter, attempts int) error {
	r.TotalSeen++
	ok := r.DryRun
	if !r.DryRun {
		var err error
		if ok, err = q.Replay(ctx, d, attempts); err != nil {
			r.Failed++
			return err
		}
	}
	if ok {
		r.Recovered++
	} else {
		r.Skipped++
	}
	return nil
}

func (r *replayed) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DLQ\tQUEUE\tSEEN\tRECOVERED\tSKIPPED\tFAILED\tDRY RUN\tMS")
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%v\t%d\n",
		r.DLQQueue, r.MainQueue, r.TotalSeen, r.Recovered, r.Skipped, r.Failed, r.DryRun, r.ElapsedMs)
	return w.Flush()
}
