// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

func runCommand() *cli.Command {
	one := 1
	return &cli.Command{
		Name:      "run",
		Usage:     "run a file in a jail and behave like the program",
		ArgsUsage: "FILE [ARGUMENT]...",
		Description: `The program gets stdin unless that is a terminal; its stdout and stderr are passed on as they are written; the output of
a compiler goes to stderr. Flags come before FILE: what follows it belongs to the program.

   ccee run hello.py
   ccee run --time 10s --memory 256M Main.java 1 2 3 < input
   ccee run -l python script
   ccee run --limits                  # the limits, their defaults and maxima
   ccee run --json hello.js           # the whole result, see daemon/PROTOCOL.md
   ccee run --out '*.png' --out-dir plots plot.py

` + exitCodeHelp,
		StopOnNthArg:              &one,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true, // a glob may have a comma
		Flags: slices.Concat(daemonFlags(), []cli.Flag{
			&cli.StringFlag{Name: "language", Aliases: []string{"l"}, Usage: "`NAME` of the language (default: by FILE's extension)"},
			&cli.BoolFlag{Name: "json", Usage: "print the result as JSON instead of the program's output"},
			&cli.BoolFlag{Name: "interleave", Usage: "keep the exact order of stdout and stderr; each write then waits until it was read"},
			&cli.StringFlag{Name: "network", Validator: checkNetwork, Usage: "network of the program, `WORD`: loopback or none (default: the daemon's)"},
			&cli.BoolFlag{Name: "limits", Usage: "print the limits with their defaults and maxima"},
		}, outputFileFlags(), limitFlags()),
		Action: runFile,
	}
}

func runFile(ctx context.Context, cmd *cli.Command) error {
	if cmd.Bool("limits") {
		return printLimits(cmd.Root().Writer)
	}
	c, err := openDaemon(cmd)
	if err != nil {
		return err
	}
	spec, err := runSpec(ctx, cmd, c)
	if err != nil {
		return err
	}
	p := programPrinter(cmd)
	if cmd.Bool("json") {
		p = jsonPrinter(cmd)
	}
	result, err := c.Stream(ctx, spec, p.event)
	if ctx.Err() != nil {
		return exit{codeInterrupted, nil}
	}
	if err != nil {
		return refused(err)
	}
	if err := p.result(&result); err != nil {
		return err
	}
	return exit{codeOf(result.Verdict, result.ExitCode, result.Signal), nil}
}

// runSpec returns the job of the command line.
func runSpec(ctx context.Context, cmd *cli.Command, c *client.Client) (job.Spec, error) {
	file, args := cmd.Args().First(), cmd.Args().Tail()
	if file == "" {
		return job.Spec{}, usageError{errors.New("ccee run needs a FILE: see ccee run --help")}
	}
	source, stdin, err := readProgram(file)
	if err != nil {
		return job.Spec{}, usageError{err}
	}
	if err := checkArgs(args); err != nil {
		return job.Spec{}, usageError{err}
	}
	languages, err := c.Languages(ctx)
	if err != nil {
		return job.Spec{}, exit{codeOurs, err}
	}
	language, err := pickLanguage(cmd.String("language"), file, languages)
	if err != nil {
		return job.Spec{}, usageError{err}
	}
	text, files := wireSource(source, language.SourceFile)
	return job.Spec{ID: "run-" + rand.Text(), Language: language.Name, Source: text, Files: files, Stdin: stdin, Args: args, OutputFiles: cmd.StringSlice("out"),
		Compile: limitsOf(cmd, "compile-"), Run: limitsOf(cmd, ""), Interleave: cmd.Bool("interleave"), Network: cmd.String("network")}, nil
}

// printer shows a job: its output while it runs, then its result.
type printer struct {
	event  func(job.Event) error
	result func(*job.Result) error
}

// programPrinter writes what the program writes, then explains its end and saves its output files.
func programPrinter(cmd *cli.Command) printer {
	out, errs := cmd.Root().Writer, cmd.Root().ErrWriter
	return printer{
		event: func(ev job.Event) error { return printEvent(ev, out, errs) },
		result: func(r *job.Result) error {
			if s := explain(r); s != "" {
				fmt.Fprintln(errs, "ccee:", s)
			}
			if err := saveFiles(cmd.String("out-dir"), r.OutputFiles, errs); err != nil {
				return exit{codeOurs, err}
			}
			return nil
		},
	}
}

// jsonPrinter writes the result, which has the output and the output files.
func jsonPrinter(cmd *cli.Command) printer {
	return printer{
		event: func(job.Event) error { return nil },
		result: func(r *job.Result) error {
			enc := json.NewEncoder(cmd.Root().Writer)
			enc.SetIndent("", "  ")
			if err := enc.Encode(r); err != nil {
				return fmt.Errorf("print the result: %w", err)
			}
			return nil
		},
	}
}

// refused returns the error for a job that was not run. One that can never run as it is was a mistake on the command line.
func refused(err error) error {
	switch job.ErrorCode(err) {
	case job.EInvalid, job.ETooLarge:
		return usageError{err}
	}
	return exit{codeOurs, err}
}

// printEvent writes a piece of output to the stream that the program wrote it to. All output of the compile step goes to stderr: it is
// about the program, not by it.
func printEvent(ev job.Event, out, errs io.Writer) error {
	w := errs
	if ev.Type == job.EventStdout && ev.Step != "compile" {
		w = out
	}
	if _, err := w.Write(ev.Data); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("write the program's output: %w", err)
	}
	return nil
}
