// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

// limitRow is a limit of a step and its flag.
type limitRow struct {
	name, usage string
	unit        unit
	at          func(*job.Limits) *int64
	compile     bool // --compile-NAME too
}

// limitRows returns every limit once.
func limitRows() []limitRow {
	return []limitRow{
		{"time", "real time", duration, func(l *job.Limits) *int64 { return &l.WallMs }, true},
		{"cpu-time", "CPU time of all processes together", duration, func(l *job.Limits) *int64 { return &l.CPUMs }, true},
		{"cpu", "CPU rate in thousandths of a core", count, func(l *job.Limits) *int64 { return &l.CPUMillicores }, true},
		{"memory", "memory, files in /tmp and /workspace included", size, func(l *job.Limits) *int64 { return &l.MemoryBytes }, true},
		{"pids", "processes and threads", count, func(l *job.Limits) *int64 { return &l.PidsMax }, false},
		{"file-size", "largest file", size, func(l *job.Limits) *int64 { return &l.FileSizeBytes }, false},
		{"open-files", "open descriptors of a process", count, func(l *job.Limits) *int64 { return &l.OpenFiles }, false},
		{"stack", "stack", size, func(l *job.Limits) *int64 { return &l.StackBytes }, false},
		{"tmp", "bytes in /tmp", size, func(l *job.Limits) *int64 { return &l.TmpBytes }, false},
		{"workspace", "bytes in /workspace", size, func(l *job.Limits) *int64 { return &l.WorkspaceBytes }, false},
		{"output", "bytes kept of stdout and of stderr", size, func(l *job.Limits) *int64 { return &l.OutputBytes }, false},
		{"output-tail", "bytes of --output kept from the end of the stream", size, func(l *job.Limits) *int64 { return &l.OutputTailBytes }, false},
		{"flood", "bytes written to both before the program is killed", size, func(l *job.Limits) *int64 { return &l.FloodBytes }, false},
		{"out-max", "number of output files", count, func(l *job.Limits) *int64 { return &l.OutputFilesMax }, false},
		{"out-file", "size of one output file", size, func(l *job.Limits) *int64 { return &l.OutputFileBytes }, false},
		{"out-total", "size of all output files", size, func(l *job.Limits) *int64 { return &l.OutputFilesBytes }, false},
	}
}

// limitFlags returns the flags of all limits.
func limitFlags() []cli.Flag {
	var flags []cli.Flag
	for _, r := range limitRows() {
		flags = append(flags, r.flag("", job.DefaultRun))
		if r.compile {
			flags = append(flags, r.flag("compile-", job.DefaultCompile))
		}
	}
	return flags
}

func (r limitRow) flag(prefix string, def job.Limits) cli.Flag {
	min, max := job.MinLimits, job.MaxLimits
	what := map[string]string{"": r.usage, "compile-": r.usage + ", while compiling"}[prefix]
	return &cli.StringFlag{Name: prefix + r.name, Category: "LIMITS", HideDefault: true,
		Usage: fmt.Sprintf("`LIMIT` of %s (default: %s, at most %s)", what, r.unit.format(*r.at(&def)), r.unit.format(*r.at(&max))),
		Validator: func(s string) error {
			n, err := r.unit.parse(s)
			switch {
			case err != nil:
				return err
			case n > *r.at(&max):
				return fmt.Errorf("is %s, at most %s is allowed", s, r.unit.format(*r.at(&max)))
			case n < *r.at(&min):
				return fmt.Errorf("is %s, at least %s is needed", s, r.unit.format(*r.at(&min)))
			}
			return nil
		}}
}

// limitsOf returns the limits on the command line; those that are not set stay zero, the default.
func limitsOf(cmd *cli.Command, prefix string) job.Limits {
	var l job.Limits
	for _, r := range limitRows() {
		if s := cmd.String(prefix + r.name); s != "" {
			*r.at(&l), _ = r.unit.parse(s) // the flag's validator has parsed it
		}
	}
	return l
}

func printLimits(w io.Writer) error {
	run, compile, max := job.DefaultRun, job.DefaultCompile, job.MaxLimits
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "LIMIT\tRUN\tCOMPILE\tAT MOST\tOF")
	for _, r := range limitRows() {
		f := r.unit.format
		fmt.Fprintf(t, "--%s\t%s\t%s\t%s\t%s\n", r.name, f(*r.at(&run)), f(*r.at(&compile)), f(*r.at(&max)), r.usage)
	}
	fmt.Fprintln(t, "\nRUN and COMPILE are the defaults; a language may have others: ccee image list --json")
	return t.Flush()
}
