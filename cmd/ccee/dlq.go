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

func dlqCommand() *cli.Command {
	common := func(more ...cli.Flag) []cli.Flag {
		return append(append(queueFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON, one object a line"},
			intFlag("limit", "DLQ_BATCH_SIZE", 50, 1, 100_000, "most jobs to read, newest first")), more...)
	}
	return &cli.Command{
		Name:  "dlq",
		Usage: "list dead-lettered jobs, run them again, or drop them",
		Description: `A job whose every attempt failed by a fault of ccee is dead-lettered: its tenant sees it as failed. When the fault is repaired:

   ccee dlq list
   ccee dlq replay --dry-run
   ccee dlq replay               # all of them, or those with the given ids
   ccee dlq drop JOB-ID

` + redisHelp,
		Commands: []*cli.Command{
			{Name: "list", Usage: "list them with their causes", Flags: common(), Action: noArgs(dlqList)},
			{
				Name: "replay", Usage: "run them again, with new attempts", ArgsUsage: "[JOB-ID]...", Action: dlqReplay,
				Flags: common(intFlag("attempts", "QUEUE_JOB_ATTEMPTS", 3, 1, 10, "attempts of a job that fails by a fault of ccee"),
					&cli.BoolFlag{Name: "dry-run", Sources: cli.EnvVars("DRY_RUN"), Usage: "only count them"}),
			},
			{Name: "drop", Usage: "remove them from the list; the jobs stay failed", ArgsUsage: "JOB-ID...", Flags: common(), Action: dlqDrop},
		},
	}
}

// deadView is a dead letter in JSON.
type deadView struct {
	JobID    string    `json:"jobId"`
	TenantID string    `json:"tenantId"`
	DiedAt   time.Time `json:"diedAt"`
	Attempts int       `json:"attempts"`
	Cause    string    `json:"cause"`
}

func dlqList(ctx context.Context, cmd *cli.Command) error {
	return withDead(ctx, cmd, func(_ *queue.Queue, dead []queue.DeadLetter) error {
		if cmd.Bool("json") {
			enc := json.NewEncoder(cmd.Root().Writer)
			for _, d := range dead {
				if err := enc.Encode(deadView{d.ID, d.Tenant, d.DiedAt, d.Attempts, d.Cause}); err != nil {
					return err
				}
			}
			return nil
		}
		w := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "JOB\tTENANT\tDIED\tATTEMPTS\tCAUSE")
		for _, d := range dead {
			fmt.Fprintf(w, "%s\t%q\t%s\t%d\t%q\n", d.ID, d.Tenant, d.DiedAt.Format(time.RFC3339), d.Attempts, d.Cause)
		}
		return w.Flush()
	})
}

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
	return withDead(ctx, cmd, func(q *queue.Queue, dead []queue.DeadLetter) error {
		r := replayed{DLQQueue: cmd.String("dlq-name"), MainQueue: cmd.String("queue-name"), TotalSeen: len(dead), DryRun: cmd.Bool("dry-run")}
		var errs []error
		for _, d := range dead {
			ok, err := r.DryRun, error(nil)
			if !r.DryRun {
				ok, err = q.Replay(ctx, d, int(cmd.Int64("attempts")))
			}
			switch {
			case err != nil:
				r.Failed++
				errs = append(errs, err)
			case ok || r.DryRun:
				r.Recovered++
			default:
				r.Skipped++
			}
		}
		r.ElapsedMs = time.Since(start).Milliseconds()
		return errors.Join(append(errs, r.print(cmd.Root().Writer, cmd.Bool("json")))...)
	})
}

func (r *replayed) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DLQ\tQUEUE\tSEEN\tRECOVERED\tSKIPPED\tFAILED\tDRY RUN\tMS")
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%v\t%d\n", r.DLQQueue, r.MainQueue, r.TotalSeen, r.Recovered, r.Skipped, r.Failed, r.DryRun, r.ElapsedMs)
	return w.Flush()
}

func dlqDrop(ctx context.Context, cmd *cli.Command) error {
	if !cmd.Args().Present() {
		return usageError{errors.New("ccee dlq drop needs a JOB-ID: see ccee dlq list")}
	}
	return withDead(ctx, cmd, func(q *queue.Queue, dead []queue.DeadLetter) error {
		for _, d := range dead {
			if _, err := q.Drop(ctx, d); err != nil {
				return err
			}
			fmt.Fprintf(cmd.Root().Writer, "dropped %s\n", d.ID)
		}
		return nil
	})
}

// withDead gives do the dead-lettered jobs that the arguments name, or all. An argument that is none of them is an error, before
// anything is done.
func withDead(ctx context.Context, cmd *cli.Command, do func(*queue.Queue, []queue.DeadLetter) error) error {
	q, err := openQueue(cmd)
	if err != nil {
		return err
	}
	defer q.Close()
	dead, err := q.DeadLetters(ctx, int(cmd.Int64("limit")))
	if err != nil {
		return hinted(err)
	}
	if !cmd.Args().Present() {
		return do(q, dead)
	}
	byID := make(map[string]queue.DeadLetter, len(dead))
	for _, d := range dead {
		byID[d.ID] = d
	}
	var named []queue.DeadLetter
	for _, id := range cmd.Args().Slice() {
		d, there := byID[id]
		if !there {
			return fmt.Errorf("%s is not among the newest %d dead-lettered jobs: see ccee dlq list, or raise --limit", id, cmd.Int64("limit"))
		}
		named = append(named, d)
	}
	return do(q, named)
}
