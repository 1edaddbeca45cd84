package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ccee/api/job"

	"github.com/urfave/cli/v3"
)

func submitCommand() *cli.Command {
	one := 1
	return &cli.Command{
		Name:      "submit",
		Usage:     "send a file to the REST API, wait, and behave like the program",
		ArgsUsage: "FILE [ARGUMENT]...",
		Description: `Like ccee run, but over the REST API of this or another machine, with the limits of a tenant. The key comes from
CCEE_API_KEY; it has no flag, as arguments are visible to everybody on the machine.

   CCEE_API_KEY=dev-local-key ccee submit hello.py
   ccee submit --url https://ccee.example --json -l java Main.java < input

` + exitCodeHelp,
		StopOnNthArg:    &one,
		HideHelpCommand: true,
		Flags: []cli.Flag{
			stringFlag("url", "CCEE_URL", "http://127.0.0.1:8080", "`URL` of the API"),
			&cli.StringFlag{Name: "language", Aliases: []string{"l"}, Usage: "`NAME` of the language (default: by FILE's extension)"},
			&cli.BoolFlag{Name: "json", Usage: "print the job object instead of the program's output"},
		},
		Action: submit,
	}
}

func submit(ctx context.Context, cmd *cli.Command) error {
	file := cmd.Args().First()
	if file == "" {
		return usageError{errors.New("ccee submit needs a FILE: see ccee submit --help")}
	}
	key := os.Getenv("CCEE_API_KEY")
	if key == "" {
		return usageError{errors.New("CCEE_API_KEY is not set: set it to your API key (dev-local-key after make run)")}
	}
	source, stdin, err := readProgram(file)
	if err != nil {
		return usageError{err}
	}
	c := restClient{url: cmd.String("url"), key: key}
	languages, err := c.languages(ctx)
	if err != nil {
		return exit{codeOurs, err}
	}
	language, err := pickLanguage(cmd.String("language"), file, languages)
	if err != nil {
		return usageError{err}
	}
	j, err := c.run(ctx, submission{Language: language, SourceCode: string(source), StdinBase64: stdin, Args: cmd.Args().Tail()})
	if err != nil {
		return exit{codeOurs, err}
	}
	if cmd.Bool("json") {
		_, err = cmd.Root().Writer.Write(append(j.raw, '\n'))
	} else {
		err = j.print(cmd.Root().Writer, cmd.Root().ErrWriter)
	}
	if err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return exit{j.code(), nil}
}

// print writes the program's output where the program wrote it.
func (j *restJob) print(out, errs io.Writer) error {
	if j.Result == nil {
		_, err := fmt.Fprintf(errs, "ccee: the job %s is %s: %s\n", j.JobID, j.Status, j.Error)
		return err
	}
	if _, err := out.Write(j.Result.StdoutBase64); err != nil {
		return err
	}
	_, err := errs.Write(j.Result.StderrBase64)
	return err
}

func (j *restJob) code() int {
	if j.Result == nil {
		return codeOurs
	}
	return codeOf(job.Verdict(j.Result.Verdict), j.Result.ExitCode, j.Result.Signal)
}
