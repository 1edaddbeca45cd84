// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ccee-dev/ccee/client"
	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

// jobCommands returns the commands about single jobs.
func jobCommands() []*cli.Command {
	const raw = "print the API's answers, one object a line"
	return []*cli.Command{
		{Name: "job", Usage: "show a job's status", ArgsUsage: "JOB-ID...", Action: ofJobs(showJob), Flags: remoteFlags(raw, &cli.BoolFlag{Name: "wait", Usage: "wait until it ends"}),
			Description: "   ccee job --wait \"$(ccee submit --no-wait hello.py)\"\n\n" + remoteHelp},
		{Name: "logs", Usage: "print a job's output, with --follow while it runs", ArgsUsage: "JOB-ID", Action: ofJobs(showLogs),
			Flags:       remoteFlags("print the job object instead", &cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "print output as it is written, wait for the end, and exit with the program's code"}),
			Description: "   ccee logs --follow JOB-ID\n\n" + remoteHelp},
		{Name: "cancel", Usage: "cancel queued or running jobs", ArgsUsage: "JOB-ID...", Action: ofJobs(cancelJob), Flags: remoteFlags(raw), Description: remoteHelp},
		{Name: "rerun", Usage: "submit a job again", ArgsUsage: "JOB-ID...", Action: ofJobs(rerunJob), Flags: remoteFlags(raw), Description: remoteHelp},
		{Name: "delete", Usage: "delete the stored data of finished jobs", ArgsUsage: "JOB-ID...", Action: ofJobs(deleteJob), Flags: remoteFlags(raw), Description: remoteHelp},
		{Name: "analyze", Usage: "explain in words how a job ended", ArgsUsage: "JOB-ID...", Action: ofJobs(analyzeJob), Flags: remoteFlags(raw), Description: remoteHelp},
	}
}

func showJob(ctx context.Context, cmd *cli.Command, c *client.Client, id string) error {
	get := c.Job
	if cmd.Bool("wait") {
		get = c.Wait
	}
	j, err := get(ctx, id)
	if err != nil {
		return err
	}
	if cmd.Bool("json") {
		return printJSON(cmd, j.Raw)
	}
	return table(cmd, func(w io.Writer) {
		fmt.Fprintf(w, "job\t%s\n", plain(j.JobID))
		fmt.Fprintf(w, "status\t%s\n", plain(j.Status))
		fmt.Fprintf(w, "language\t%s\n", plain(j.Language))
		fmt.Fprintf(w, "created\t%s\n", when(&j.CreatedAt))
		fmt.Fprintf(w, "completed\t%s\n", when(j.CompletedAt))
		if j.Error != "" {
			fmt.Fprintf(w, "error\t%s\n", plain(j.Error))
		}
		if r := j.Result; r != nil {
			fmt.Fprintf(w, "ended\t%s\n", ended(r))
			fmt.Fprintf(w, "took\t%d ms\n", r.DurationMs)
			fmt.Fprintf(w, "stdout\t%d bytes\n", len(r.StdoutBase64))
			fmt.Fprintf(w, "stderr\t%d bytes\n", len(r.StderrBase64))
			if t := r.Tests; t != nil {
				fmt.Fprintf(w, "tests\t%d of %d passed\n", t.Passed, t.Total)
				for _, item := range t.Items {
					fmt.Fprintf(w, "test %d\t%s\n", item.Number, plain(join(item.Name, item.Verdict, item.Message)))
				}
			}
		}
	})
}

// ended describes how a program ended: "exited 1", "oom_killed SIGKILL".
func ended(r *client.Result) string {
	code := ""
	if r.ExitCode != nil {
		code = fmt.Sprint(*r.ExitCode)
	}
	return plain(join(r.Verdict, code, r.Signal))
}

// join returns the parts that are not empty, with spaces between them.
func join(parts ...string) string {
	all := ""
	for _, p := range parts {
		if all != "" && p != "" {
			all += " "
		}
		all += p
	}
	return all
}

func showLogs(ctx context.Context, cmd *cli.Command, c *client.Client, id string) error {
	if cmd.Bool("follow") {
		if _, err := c.Follow(ctx, id, func(o client.Output) error { return printOutput(cmd, o) }); err != nil {
			return err
		}
	}
	j, err := c.Job(ctx, id)
	switch {
	case err != nil:
		return err
	case cmd.Bool("json"):
		return printJSON(cmd, j.Raw)
	case cmd.Bool("follow"):
		return endLike(cmd, j)
	case j.Result == nil:
		fmt.Fprintf(cmd.Root().ErrWriter, "ccee: the job is %s and has no output yet: --follow waits for it\n", plain(j.Status))
		return nil
	}
	return printResult(cmd, j)
}

// printOutput writes a piece to the stream that the program wrote it to; a compiler's output goes to stderr.
func printOutput(cmd *cli.Command, o client.Output) error {
	out := cmd.Root().Writer
	if o.Stream == "stderr" || o.Step == "compile" {
		out = cmd.Root().ErrWriter
	}
	_, err := out.Write(o.Data)
	return err
}

// printResult writes a job's output to the streams that the program wrote it to.
func printResult(cmd *cli.Command, j *client.Job) error {
	if j.Result == nil {
		return nil
	}
	if _, err := cmd.Root().Writer.Write(j.Result.StdoutBase64); err != nil {
		return err
	}
	_, err := cmd.Root().ErrWriter.Write(j.Result.StderrBase64)
	return err
}

// endLike returns the exit code of the job's program, and prints the reason unless it is plain or --json has it.
func endLike(cmd *cli.Command, j *client.Job) error {
	errs := cmd.Root().ErrWriter
	if cmd.Bool("json") {
		errs = io.Discard
	}
	if j.Result == nil {
		fmt.Fprintf(errs, "ccee: the job %s is %s: %s\n", plain(j.JobID), plain(j.Status), plain(cmp.Or(j.Error, "it has no result")))
		if j.Status == "cancelled" {
			return exit{codeInterrupted, nil}
		}
		return exit{codeOurs, nil}
	}
	r := j.Result
	if t := r.Tests; t != nil {
		fmt.Fprintf(errs, "ccee: %d of %d tests passed\n", t.Passed, t.Total)
		if code := codeOf(job.Verdict(r.Verdict), r.ExitCode, r.Signal); r.Status == "succeeded" || code != 0 {
			return exit{code, nil}
		}
		return exit{1, nil}
	}
	if r.Verdict != string(job.Exited) {
		fmt.Fprintf(errs, "ccee: %s: see ccee analyze %s\n", ended(r), plain(j.JobID))
	}
	return exit{codeOf(job.Verdict(r.Verdict), r.ExitCode, r.Signal), nil}
}

func cancelJob(ctx context.Context, cmd *cli.Command, c *client.Client, id string) error {
	j, err := c.Cancel(ctx, id)
	if err != nil {
		return err
	}
	if cmd.Bool("json") {
		return printJSON(cmd, j.Raw)
	}
	state := j.Status
	if !j.Final() {
		state += ", and is being stopped"
	}
	_, err = fmt.Fprintf(cmd.Root().Writer, "%s is %s\n", plain(id), plain(state))
	return err
}

func rerunJob(ctx context.Context, cmd *cli.Command, c *client.Client, id string) error {
	again, err := c.Rerun(ctx, id)
	if err != nil {
		return err
	}
	return printID(cmd, again)
}

// printID prints the id of a new job.
func printID(cmd *cli.Command, id string) error {
	if cmd.Bool("json") {
		b, err := json.Marshal(map[string]string{"jobId": id})
		if err != nil {
			return err
		}
		return printJSON(cmd, b)
	}
	_, err := fmt.Fprintln(cmd.Root().Writer, plain(id))
	return err
}

func deleteJob(ctx context.Context, cmd *cli.Command, c *client.Client, id string) error {
	if err := c.Delete(ctx, id); err != nil {
		return err
	}
	if cmd.Bool("json") {
		return printID(cmd, id)
	}
	_, err := fmt.Fprintf(cmd.Root().Writer, "deleted %s\n", plain(id))
	return err
}

func analyzeJob(ctx context.Context, cmd *cli.Command, c *client.Client, id string) error {
	raw, err := c.Analyze(ctx, id)
	if err != nil {
		return err
	}
	if cmd.Bool("json") {
		return printJSON(cmd, raw)
	}
	var said struct {
		Provider string
		Analysis struct {
			Summary, Explanation, Confidence string
			Suggestions                      []string
		}
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return fmt.Errorf("read the analysis: %w", err)
	}
	a := said.Analysis
	out := cmd.Root().Writer
	fmt.Fprintf(out, "%s (%s, confidence %s)\n%s\n", plain(a.Summary), plain(said.Provider), plain(a.Confidence), plain(a.Explanation))
	for _, s := range a.Suggestions {
		fmt.Fprintf(out, "- %s\n", plain(s))
	}
	return nil
}
