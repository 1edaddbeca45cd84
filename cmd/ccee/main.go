// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	module "github.com/ccee-dev/ccee"

	common "github.com/prometheus/common/version"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// version is set by the linker (make build), which knows the commit; without it, as with go install, it is what the file VERSION says.
var version string

func main() {
	version = cmp.Or(version, module.Version())
	common.Version = version // all parts read it there: for ccee_build_info, the log of their start, and /health
	// Times in logs are UTC with milliseconds: the lines of one job are only a few milliseconds apart.
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
}

// run runs one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it must stay ignored
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, ends...)
	defer stop()
	root := app(stdout, stderr)
	if len(args) == 3 && args[2] == "--version" && root.Command(args[1]) != nil { // cli knows it at the root alone
		args = []string{args[0], "version"}
	}
	return exitCode(badVariable(root.Run(ctx, args)), stderr)
}

// app returns the root of all commands.
func app(stdout, stderr io.Writer) *cli.Command {
	root := &cli.Command{
		Name:      "ccee",
		Usage:     "run untrusted programs in jails, from a REST API or from the shell",
		Version:   version,
		Writer:    stdout,
		ErrWriter: stderr,
		Suggest:   true,

		EnableShellCompletion: true, // ccee completion bash, zsh, fish

		Description: `Try it, as root:

   make run                                          # build, make images, start everything
   ccee run hello.py                                 # like python3 hello.py, but in a jail
   echo 1 2 3 | ccee run --memory 64M sum.py --fast  # limits before the file, arguments after it
   ccee run --json hello.py | jq .verdict            # how it ended, with evidence and usage
   ccee doctor                                       # what this host can do, and what is missing`,
		Commands: slices.Concat([]*cli.Command{
			upCommand(), daemonCommand(), workerCommand(), taskCommand(), apiCommand(), runCommand(), submitCommand(),
		}, jobCommands(), accountCommands(), []*cli.Command{
			auditCommand(), keyCommand(), certCommand(), dlqCommand(), languageCommand(), imageCommand(), seccompCommand(), benchCommand(),
			doctorCommand(), healthCommand(), versionCommand(), manualCommand(),
		}),
		Before: checkEnvironment,
		// Errors come back to run, which prints them once and chooses the exit code.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return usageError{fmt.Errorf("there is no command %q: see ccee help", cmd.Args().First())}
			}
			return cli.ShowRootCommandHelp(cmd)
		},
	}
	onUsageError(root)
	return root
}

// onUsageError returns mistakes on the command line to run like all errors, instead of printing the whole help.
func onUsageError(c *cli.Command) {
	c.OnUsageError = func(_ context.Context, cmd *cli.Command, err error, _ bool) error {
		return usageError{fmt.Errorf("%w: see %s --help", err, cmd.FullName())}
	}
	for _, sub := range c.Commands {
		onUsageError(sub)
	}
}
