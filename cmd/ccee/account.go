// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/client"

	"github.com/urfave/cli/v3"
)

// accountCommands returns the commands about a tenant's jobs and account.
func accountCommands() []*cli.Command {
	const raw = "print the API's answer"
	return []*cli.Command{
		{Name: "history", Usage: "list jobs, newest first", Action: remotely(showHistory), Flags: remoteFlags("print the API's objects, one job a line",
			&cli.StringFlag{Name: "status", Usage: "only jobs in this `STATE`: queued, running, succeeded, failed, timed_out, cancelled ..."},
			&cli.StringFlag{Name: "language", Aliases: []string{"l"}, Usage: "only jobs in the language with this `NAME`"},
			&cli.StringFlag{Name: "since", Usage: "only jobs submitted since `TIME`: 2026-01-31T23:59:59Z, or a duration such as 12h"},
			&cli.StringFlag{Name: "until", Usage: "only jobs submitted before `TIME`"},
			intFlag("limit", "", 20, 1, 1_000_000, "most jobs to list")),
			Description: "   ccee history --status failed --since 24h\n\n" + remoteHelp},
		{Name: "quota", Usage: "show limits and their use", Action: remotely(showQuota), Flags: remoteFlags(raw), Description: remoteHelp},
		{Name: "costs", Usage: "show what the jobs cost, by day", Action: remotely(showCosts), Description: remoteHelp,
			Flags: remoteFlags(raw, intFlag("days", "", 7, 1, 30, "days, including today"))},
	}
}

// auditListCommand shows a tenant's own audit.
func auditListCommand() *cli.Command {
	return &cli.Command{Name: "list", Usage: "list what happened to your jobs and requests, newest first", Action: remotely(showAudit), Description: remoteHelp,
		Flags: remoteFlags("print the API's objects, one event a line", intFlag("limit", "", 20, 1, 1_000_000, "most events to show"))}
}

func showHistory(ctx context.Context, cmd *cli.Command, c *client.Client) error {
	limit := int(cmd.Int64("limit"))
	q := client.HistoryQuery{Status: cmd.String("status"), Language: cmd.String("language"), Page: min(limit, 100)}
	var err error
	if q.From, err = timeFlag(cmd, "since"); err != nil {
		return err
	}
	if q.To, err = timeFlag(cmd, "until"); err != nil {
		return err
	}
	return list(cmd, "JOB\tSTATUS\tLANGUAGE\tCREATED\tMS\tENDED", limit, c.History(ctx, q), func(w io.Writer, j *client.Job) json.RawMessage {
		took, how := "-", "-"
		if r := j.Result; r != nil {
			took, how = fmt.Sprint(r.DurationMs), ended(r)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(j.JobID), plain(j.Status), plain(j.Language), when(&j.CreatedAt), took, how)
		return j.Raw
	})
}

func showAudit(ctx context.Context, cmd *cli.Command, c *client.Client) error {
	return list(cmd, "TIME\tACTOR\tACTION\tJOB\tMETADATA", int(cmd.Int64("limit")), c.Audit(ctx), func(w io.Writer, e *client.Event) json.RawMessage {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", when(&e.Timestamp), plain(e.Actor), plain(e.Action), plain(e.JobID), plain(string(e.Metadata)))
		return e.Raw
	})
}

// list prints at most limit items, in a table or as JSON, one a line. row writes an item to the table and returns its JSON.
func list[T any](cmd *cli.Command, head string, limit int, items func(func(T, error) bool), row func(io.Writer, T) json.RawMessage) error {
	var failed error
	each := func(do func(T) error) {
		n := 0
		for item, err := range items {
			if err == nil {
				err = do(item)
			}
			if failed = err; err != nil {
				return
			}
			if n++; n == limit {
				return
			}
		}
	}
	if cmd.Bool("json") {
		each(func(item T) error { return printJSON(cmd, row(io.Discard, item)) })
		return failed
	}
	err := table(cmd, func(w io.Writer) {
		fmt.Fprintln(w, head)
		each(func(item T) error { row(w, item); return nil })
	})
	if failed != nil {
		return failed
	}
	return err
}

// timeFlag reads a time, or a duration before now.
func timeFlag(cmd *cli.Command, name string) (time.Time, error) {
	s := cmd.String(name)
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return time.Now().Add(-d), nil
	}
	return time.Time{}, usageError{fmt.Errorf("--%s %q is neither a time such as 2026-01-31T23:59:59Z nor a duration such as 12h", name, s)}
}

func showQuota(ctx context.Context, cmd *cli.Command, c *client.Client) error {
	raw, err := c.Quotas(ctx)
	if err != nil || cmd.Bool("json") {
		return printOr(cmd, raw, err)
	}
	var q struct {
		TenantID string
		AuthType string
		Limits   struct {
			MaxConcurrentJobs, MaxDailyJobs, MaxStoredBytes, RateLimitRequests, RateLimitWindowSeconds, SubmitRateLimitRequests int64
		}
		Usage struct {
			ActiveJobs, DailyJobs, StoredBytes int64
			DailyDate                          string
			EstimatedCostUsd                   float64
		}
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		return fmt.Errorf("read the quotas: %w", err)
	}
	return table(cmd, func(w io.Writer) {
		fmt.Fprintf(w, "tenant\t%s\n", plain(q.TenantID))
		fmt.Fprintf(w, "unfinished jobs\t%d of %d\n", q.Usage.ActiveJobs, q.Limits.MaxConcurrentJobs)
		fmt.Fprintf(w, "jobs on %s\t%d of %d\n", plain(q.Usage.DailyDate), q.Usage.DailyJobs, q.Limits.MaxDailyJobs)
		if q.Limits.MaxStoredBytes > 0 { // else the server is older
			fmt.Fprintf(w, "stored bytes\t%d of %d\n", q.Usage.StoredBytes, q.Limits.MaxStoredBytes)
		}
		fmt.Fprintf(w, "requests\t%d in %d s, %d of them submissions\n", q.Limits.RateLimitRequests, q.Limits.RateLimitWindowSeconds, q.Limits.SubmitRateLimitRequests)
		fmt.Fprintf(w, "cost today\t%s USD\n", usd(q.Usage.EstimatedCostUsd))
	})
}

func showCosts(ctx context.Context, cmd *cli.Command, c *client.Client) error {
	raw, err := c.Costs(ctx, int(cmd.Int64("days")))
	if err != nil || cmd.Bool("json") {
		return printOr(cmd, raw, err)
	}
	var costs struct {
		TotalEstimatedCostUsd float64
		Daily                 []struct {
			Date             string
			EstimatedCostUsd float64
		}
	}
	if err := json.Unmarshal(raw, &costs); err != nil {
		return fmt.Errorf("read the costs: %w", err)
	}
	return table(cmd, func(w io.Writer) {
		fmt.Fprintln(w, "DATE\tUSD")
		for _, d := range costs.Daily {
			fmt.Fprintf(w, "%s\t%s\n", plain(d.Date), usd(d.EstimatedCostUsd))
		}
		fmt.Fprintf(w, "total\t%s\n", usd(costs.TotalEstimatedCostUsd))
	})
}

// printOr prints raw, unless there is an error.
func printOr(cmd *cli.Command, raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return printJSON(cmd, raw)
}

// usd formats an amount without trailing zeros.
func usd(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.8f", f), "0"), ".")
}
