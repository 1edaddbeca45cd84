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

// jobCommands are those about single jobs.
func jobCommands() []*cli.Command {
	const raw = "print what the API says, one object a line"
	return []*cli.Command{
		{Name: "job", Usage: "show how a job does", ArgsUsage: "JOB-ID...", Action: ofJobs(showJob), Flags: remoteFlags(raw, &cli.BoolFlag{Name: "wait", Usage: "wait for its end"}),
			Description: "   ccee job --wait \"$(ccee submit --no-wait hello.py)\"\n\n" + remoteHelp},
		{Name: "logs", Usage: "print what a job wrote, and with --follow what it writes", ArgsUsage: "JOB-ID", Action: ofJobs(showLogs),
			Flags:       remoteFlags("print the job object instead", &cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "print it as it is written, wait for the end, and end like the program"}),
			Description: "   ccee logs --follow JOB-ID\n\n" + remoteHelp},
		{Name: "cancel", Usage: "take jobs back that wait or run", ArgsUsage: "JOB-ID...", Action: ofJobs(cancelJob), Flags: remoteFlags(raw), Description: remoteHelp},
		{Name: "rerun", Usage: "submit what a job was submitted with again", ArgsUsage: "JOB-ID...", Action: ofJobs(rerunJob), Flags: remoteFlags(raw), Description: remoteHelp},
		{Name: "delete", Usage: "delete what is stored of jobs that are over", ArgsUsage: "JOB-ID...", Action: ofJobs(deleteJob), Flags: remoteFlags(raw), Description: remoteHelp},
		{Name: "analyze", Usage: "say in words what became of a job", ArgsUsage: "JOB-ID...", Action: ofJobs(analyzeJob), Flags: remoteFlags(raw), Description: remoteHelp},
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

// ended says how a program ended: "exited 1", "oom_killed SIGKILL".
func ended(r *client.Result) string {
	code := ""
	if r.ExitCode != nil {
		code = fmt.Sprint(*r.ExitCode)
	}
	return plain(join(r.Verdict, code, r.Signal))
}

// join is its parts with a space between, without the empty ones.
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

// printOutput writes a piece where the program wrote it; what a compiler says goes to stderr.
func printOutput(cmd *cli.Command, o client.Output) error {
	out := cmd.Root().Writer
	if o.Stream == "stderr" || o.Step == "compile" {
		out = cmd.Root().ErrWriter
	}
	_, err := out.Write(o.Data)
	return err
}

// printResult writes a job's output where the program wrote it.
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

// endLike ends ccee like the job's program, and says why when that isn't plain and --json doesn't say it.
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

// printID writes the id of a new job.
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
