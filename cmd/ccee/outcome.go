// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/ccee-dev/ccee/job"

	"golang.org/x/sys/unix"
)

// The exit codes of ccee run and ccee submit that are not the program's own. Those of timeout(1) where it has one.
const (
	codeOutputLimit = 123
	codeTimeLimit   = 124
	codeOurs        = 125 // ccee itself failed
	codeNotStarted  = 126
	codeInterrupted = 130 // 128 + SIGINT: Ctrl-C, or the job was cancelled
	codeOOM         = 137 // 128 + SIGKILL: the signal that the kernel sends
	codeSignalBase  = 128
)

const exitCodeHelp = `The exit code is the program's. Otherwise: 123 too much output, 124 out of time (wall or CPU), 125 ccee itself
failed, 126 not started, 130 cancelled, 137 out of memory, 128 + N ended by signal N, 2 a mistake on the
command line. --json tells a program's own code from these.`

// codeOf returns the exit code for a job's end.
func codeOf(v job.Verdict, exitCode *int, signal string) int {
	switch v {
	case job.WallTime, job.CPUTime:
		return codeTimeLimit
	case job.OOMKilled:
		return codeOOM
	case job.OutputLimit:
		return codeOutputLimit
	case job.VerdictCancelled:
		return codeInterrupted
	case job.StartFailed:
		return codeNotStarted
	case job.Internal:
		return codeOurs
	}
	if exitCode != nil {
		return *exitCode
	}
	if n := unix.SignalNum(signal); n != 0 {
		return codeSignalBase + int(n)
	}
	return codeOurs
}
