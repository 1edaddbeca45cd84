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
		Description: `The program gets stdin unless that is a terminal; its stdout and stderr come as they are written; what a compiler
says goes to stderr. Flags come before FILE: what follows belongs to the program.

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
		Flags: slices.Concat([]cli.Flag{
			socketFlag(),
			&cli.StringFlag{Name: "language", Aliases: []string{"l"}, Usage: "`NAME` of the language (default: by FILE's extension)"},
			&cli.BoolFlag{Name: "json", Usage: "print the result as JSON instead of the program's output"},
			&cli.BoolFlag{Name: "interleave", Usage: "keep the order of stdout and stderr exact; each write then waits until it was read"},
			&cli.StringFlag{Name: "network", Validator: checkNetwork, Usage: "`WORD` for what the program can reach: loopback or none (default: the daemon's)"},
			&cli.BoolFlag{Name: "limits", Usage: "print the limits with their defaults and maxima"},
		}, outputFileFlags(), limitFlags()),
		Action: runFile,
	}
}

func runFile(ctx context.Context, cmd *cli.Command) error {
	out, errs := cmd.Root().Writer, cmd.Root().ErrWriter
	if cmd.Bool("limits") {
		return printLimits(out)
	}
	file, args := cmd.Args().First(), cmd.Args().Tail()
	if file == "" {
		return usageError{errors.New("ccee run needs a FILE: see ccee run --help")}
	}
	source, stdin, err := readProgram(file)
	if err != nil {
		return usageError{err}
	}
	if err := checkArgs(args); err != nil {
		return usageError{err}
	}
	c := client.New(cmd.String("socket"))
	languages, err := c.Languages(ctx)
	if err != nil {
		return exit{codeOurs, err}
	}
	language, err := pickLanguage(cmd.String("language"), file, languages)
	if err != nil {
		return usageError{err}
	}
	text, files := wireSource(source, language.SourceFile)
	spec := job.Spec{ID: "run-" + rand.Text(), Language: language.Name, Source: text, Files: files, Stdin: stdin, Args: args, OutputFiles: cmd.StringSlice("out"),
		Compile: limitsOf(cmd, "compile-"), Run: limitsOf(cmd, ""), Interleave: cmd.Bool("interleave"), Network: cmd.String("network")}
	print := func(ev job.Event) error { return printEvent(ev, out, errs) }
	if cmd.Bool("json") {
		print = func(job.Event) error { return nil }
	}
	result, err := c.Stream(ctx, spec, print)
	if ctx.Err() != nil {
		return exit{codeInterrupted, nil}
	}
	if err != nil {
		return refused(err)
	}
	if cmd.Bool("json") {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(result); err != nil {
			return fmt.Errorf("print the result: %w", err)
		}
	} else if s := explain(&result); s != "" {
		fmt.Fprintln(errs, "ccee:", s)
	}
	if !cmd.Bool("json") { // which has the files
		if err := saveFiles(cmd.String("out-dir"), result.OutputFiles, errs); err != nil {
			return exit{codeOurs, err}
		}
	}
	return exit{codeOf(result.Verdict, result.ExitCode, result.Signal), nil}
}

// refused is the error for a job that was not run. A job that can never run as it is was asked for on the command line.
func refused(err error) error {
	switch job.ErrorCode(err) {
	case job.EInvalid, job.ETooLarge:
		return usageError{err}
	}
	return exit{codeOurs, err}
}

// printEvent writes what the program wrote, where it wrote it; the compile step's output is about the program, not by it.
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
