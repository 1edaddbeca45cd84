// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
)

// jail runs programs as jobs of a daemon.
type jail struct {
	client *client.Client
	jobs   atomic.Int64
}

func (j *jail) run(ctx context.Context, p program) (ran, error) {
	spec := job.Spec{
		ID: fmt.Sprintf("conformance-%d", j.jobs.Add(1)), Language: p.language,
		Source: p.source, Files: p.files, Args: p.args, Env: p.env, Run: p.limits,
	}
	spec.Run.WallMs = p.wall.Milliseconds()
	spec.Compile = job.Limits{WallMs: job.MaxLimits.WallMs, CPUMs: job.MaxLimits.CPUMs}
	if p.report != "" {
		spec.OutputFiles = []string{p.report}
	}
	res, err := j.client.Run(ctx, spec)
	if err != nil {
		return ran{}, fmt.Errorf("run a job: %w", err)
	}
	last := res.Last()
	if last == nil || last.Verdict == job.Internal || last.Verdict == job.StartFailed {
		return ran{}, fmt.Errorf("job %s: %+v", spec.ID, last)
	}
	out := ran{end: endOf(last), stdout: string(last.Stdout.Data), stderr: string(last.Stderr.Data), wall: time.Duration(last.Usage.WallMs * float64(time.Millisecond))}
	if p.report != "" {
		if out.report, err = reportOf(&res); err != nil {
			return ran{}, fmt.Errorf("job %s: %w", spec.ID, err)
		}
	}
	return out, nil
}

// endOf is how a step ended, in the words that both places have.
func endOf(s *job.Step) string {
	end := string(s.Verdict)
	switch {
	case s.Verdict == job.WallTime:
		end = "timeout"
	case s.Verdict == job.Exited && s.ExitCode != nil:
		end = fmt.Sprintf("exit %d", *s.ExitCode)
	case s.Verdict == job.Signaled:
		end = s.Signal
	}
	if s.Name == "compile" {
		return "compile: " + end
	}
	return end
}

// reportOf is the one output file of a job; that there is none is for the caller to judge, that it was cut off is an error.
func reportOf(res *job.Result) ([]byte, error) {
	if res.OutputFiles == nil {
		return nil, errors.New("the result has no output files")
	}
	for _, o := range res.OutputFiles.Skipped {
		return nil, fmt.Errorf("the report %s was left out: %s", o.Name, o.Reason)
	}
	for _, f := range res.OutputFiles.Files {
		return f.Data, nil
	}
	return nil, nil
}
