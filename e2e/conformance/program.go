// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// program is what is run in both places: the source file, files beside it, and arguments.
type program struct {
	language string
	source   string
	files    []job.File
	args     []string
	env      map[string]string
	report   string        // the file in /workspace that it writes its results to, or "": its stdout is the result
	limits   job.Limits    // of the run step inside
	wall     time.Duration // in both places
}

// ran is what became of a program.
type ran struct {
	report []byte
	stdout string
	stderr string
	end    string // "exit 0", "SIGSEGV", "timeout"; with "compile: " before it when the compile step ended it
	wall   time.Duration
}

// place is where programs run: in a jail, or beside it.
type place interface {
	run(ctx context.Context, p program) (ran, error)
}

// generous are limits that no test is to meet, but for those that are there to be met: the largest that the service gives.
var generous = job.Limits{
	WallMs: job.MaxLimits.WallMs, CPUMs: job.MaxLimits.CPUMs, CPUMillicores: 2000, MemoryBytes: 1536 * job.MiB,
	PidsMax: job.MaxLimits.PidsMax, FileSizeBytes: job.MaxLimits.FileSizeBytes, TmpBytes: job.MaxLimits.TmpBytes, TmpInodes: job.MaxLimits.TmpInodes,
	WorkspaceBytes: job.MaxLimits.WorkspaceBytes, OutputBytes: job.MaxLimits.OutputBytes, FloodBytes: job.MaxLimits.FloodBytes,
	OutputFileBytes: job.MaxLimits.OutputFileBytes, OutputFilesBytes: job.MaxLimits.OutputFilesBytes,
}
