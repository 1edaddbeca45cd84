// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ccee-dev/ccee/client"
	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

func submitCommand() *cli.Command {
	one := 1
	return &cli.Command{
		Name:      "submit",
		Usage:     "send a file to the REST API, wait, and behave like the program",
		ArgsUsage: "FILE [ARGUMENT]...",
		Description: `Like ccee run, but through the REST API of this or another machine, with the limits of a tenant.

   CCEE_API_KEY=dev-local-key ccee submit hello.py
   ccee submit --url https://ccee.example --json -l java Main.java < input
   ccee submit --no-wait --priority low report.py     # prints the job's id for ccee job, logs, cancel

` + exitCodeHelp + "\n\n" + remoteHelp,
		StopOnNthArg:    &one,
		HideHelpCommand: true,
		Flags: remoteFlags("print the job object instead of the program's output",
			&cli.StringFlag{Name: "language", Aliases: []string{"l"}, Usage: "`NAME` of the language (default: by FILE's extension)"},
			&cli.BoolFlag{Name: "no-wait", Usage: "print the job's id and don't wait for the job"},
			&cli.StringFlag{Name: "priority", Value: "normal", Usage: "priority among your own waiting jobs, `WORD`: low, normal or high"},
			&cli.StringFlag{Name: "network", Validator: checkNetwork, Usage: "network of the program, `WORD`: loopback or none (default: the server's)"},
			&cli.StringFlag{Name: "idempotency-key", Usage: "a second submission with the same `KEY` within 24 hours makes no new job"},
		),
		Action: submit,
	}
}

func submit(ctx context.Context, cmd *cli.Command) error {
	file := cmd.Args().First()
	if file == "" {
		return usageError{errors.New("ccee submit needs a FILE: see ccee submit --help")}
	}
	c, err := remote(cmd)
	if err != nil {
		return err
	}
	source, stdin, err := readProgram(file)
	if err != nil {
		return usageError{err}
	}
	if err := checkArgs(cmd.Args().Tail()); err != nil {
		return usageError{err}
	}
	language, err := pickRemote(ctx, cmd, c, file)
	if err != nil {
		return err
	}
	text, files := wireSource(source, language.SourceFile)
	s := client.Submission{Language: language.Name, SourceCode: text, Stdin: stdin, Args: cmd.Args().Tail(), IdempotencyKey: cmd.String("idempotency-key"),
		More: map[string]any{}}
	for _, f := range files {
		s.More["files"] = []map[string]any{{"name": f.Name, "contentBase64": f.Data}}
	}
	if p := cmd.String("priority"); p != "normal" {
		s.More["priority"] = p
	}
	if n := cmd.String("network"); n != "" {
		s.More["network"] = n
	}
	if cmd.Bool("no-wait") {
		id, err := c.Submit(ctx, s)
		if err != nil {
			return advise(err)
		}
		return printID(cmd, id)
	}
	j, err := c.Run(ctx, s)
	if err != nil {
		return advise(err)
	}
	if cmd.Bool("json") {
		err = printJSON(cmd, j.Raw)
	} else {
		err = printResult(cmd, j)
	}
	if err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return endLike(cmd, j)
}

// pickRemote returns the language of file among those of the API.
func pickRemote(ctx context.Context, cmd *cli.Command, c *client.Client, file string) (job.Language, error) {
	runtimes, err := c.Runtimes(ctx)
	if err != nil {
		return job.Language{}, advise(err)
	}
	var languages []job.Language
	for _, r := range runtimes {
		languages = append(languages, job.Language{Name: r.Language, Aliases: r.Aliases, SourceFile: r.SourceFile})
	}
	language, err := pickLanguage(cmd.String("language"), file, languages)
	if err != nil {
		return job.Language{}, usageError{err}
	}
	for _, r := range runtimes {
		if r.Language == language.Name && !r.Available {
			fmt.Fprintf(cmd.Root().ErrWriter, "ccee: no worker can run %s now: the job waits for one\n", r.Language)
		}
	}
	return language, nil
}
