// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/ccee-dev/ccee/queue"

	"github.com/urfave/cli/v3"
)

func dlqCommand() *cli.Command {
	common := func(limit string, more ...cli.Flag) []cli.Flag {
		return append(append(queueFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON, one object a line"},
			intFlag("limit", "DLQ_BATCH_SIZE", 50, 1, 100_000, limit)), more...)
	}
	const newest = "most jobs to read, newest first"
	return &cli.Command{
		Name:  "dlq",
		Usage: "list dead-lettered jobs, run them again, or drop them",
		Description: `A job whose every attempt failed by a fault of ccee is dead-lettered: its tenant sees it as failed. When the fault is repaired:

   ccee dlq list
   ccee dlq replay --dry-run
   ccee dlq replay               # all of them, oldest first, or those with the given ids
   ccee dlq drop JOB-ID

Each job is moved back to the queue in one step, with new attempts. A replay leaves alone what dies while it runs, and ends at the first
job that it can't move: then, and when it is stopped, the exit code is 1. So it can run as a scheduled task.

` + redisHelp,
		Commands: []*cli.Command{
			{Name: "list", Usage: "list them with their causes", Flags: common(newest), Action: noArgs(dlqList)},
			{
				Name: "replay", Usage: "run them again, with new attempts", ArgsUsage: "[JOB-ID]...", Action: dlqReplay,
				Flags: common("jobs to read at a time; with a JOB-ID, the newest jobs among which it must be",
					intFlag("attempts", "QUEUE_JOB_ATTEMPTS", 3, 1, 10, "attempts of a job that fails by a fault of ccee"),
					intFlag("max", "DLQ_REPLAY_MAX", 0, 0, 10_000_000, "most jobs to run again, 0 for all"),
					&cli.BoolFlag{Name: "dry-run", Sources: cli.EnvVars("DRY_RUN"), Usage: "only count them"}),
			},
			{Name: "drop", Usage: "remove them from the list; the jobs stay failed", ArgsUsage: "JOB-ID...",
				Flags: common(newest), Action: dlqDrop},
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

// withDead gives do the dead-lettered jobs that the arguments name, or all.
func withDead(ctx context.Context, cmd *cli.Command, do func(*queue.Queue, []queue.DeadLetter) error) error {
	q, err := openQueue(cmd)
	if err != nil {
		return err
	}
	defer q.Close()
	dead, err := q.DeadLetters(ctx, int(cmd.Int64("limit")))
	if err == nil && cmd.Args().Present() {
		dead, err = named(cmd, dead)
	}
	if err != nil {
		return hinted(err)
	}
	return do(q, dead)
}

// named returns those of dead that the arguments name. An argument that is none of them is an error, before anything is done.
func named(cmd *cli.Command, dead []queue.DeadLetter) ([]queue.DeadLetter, error) {
	byID := make(map[string]queue.DeadLetter, len(dead))
	for _, d := range dead {
		byID[d.ID] = d
	}
	var found []queue.DeadLetter
	for _, id := range cmd.Args().Slice() {
		d, there := byID[id]
		if !there {
			return nil, fmt.Errorf("%s is not among the newest %d dead-lettered jobs: see ccee dlq list, or raise --limit",
				id, cmd.Int64("limit"))
		}
		found = append(found, d)
	}
	return found, nil
}
