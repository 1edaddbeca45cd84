// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ccee-dev/ccee/job"
)

// judge runs one test and judges how it ended.
func (t *Tests) judge(ctx context.Context, r Runner, one *test) (job.TestResult, error) {
	got, err := r.Run(ctx, t.program.once(one.step), t.program.root, false)
	if err != nil {
		return job.TestResult{}, err
	}
	res := job.TestResult{Name: one.Name, Run: &got}
	out := got.Stdout
	switch {
	case got.Verdict != job.Exited || got.ExitCode == nil:
		res.Verdict, res.Message = got.Verdict, got.Message
	case *got.ExitCode != one.ExitCode:
		res.Verdict, res.Message = job.Exited, fmt.Sprintf("exit code %d, expected %d", *got.ExitCode, one.ExitCode)
		if *got.ExitCode == 0 {
			res.Verdict = job.WrongAnswer
		}
	case out.Truncated && (t.checker != nil || one.Expected != nil):
		res.Verdict, res.Message = job.WrongAnswer, fmt.Sprintf("the output has %d bytes: too many to be right", out.Bytes)
	case t.checker != nil:
		if err := t.check(ctx, r, one, out.Data, &res); err != nil {
			return job.TestResult{}, err
		}
	default:
		res.Verdict = job.Accepted
		if one.Expected != nil {
			if res.Message = compare(t.compare, out.Data, *one.Expected); res.Message != "" {
				res.Verdict = job.WrongAnswer
			}
		}
	}
	got.Limits.OutputBytes = int64(one.kept)
	cutOutput(&got.Stdout, one.kept)
	cutOutput(&got.Stderr, one.kept)
	return res, nil
}

// check has the checker judge an output, and puts the verdict into res.
func (t *Tests) check(ctx context.Context, r Runner, one *test, output []byte, res *job.TestResult) error {
	got, err := r.Run(ctx, t.checker.check(one, output), t.checker.root, true)
	if err != nil {
		return err
	}
	res.Message = cmp.Or(got.Stdout.Text(), got.Stderr.Text())
	switch {
	case got.OK():
		res.Verdict = job.Accepted
	case got.Verdict == job.Exited && got.ExitCode != nil && (*got.ExitCode == 1 || *got.ExitCode == 2):
		res.Verdict = job.WrongAnswer
	case got.Verdict == job.VerdictCancelled:
		res.Verdict = job.VerdictCancelled
	default:
		res.Verdict, res.Checker = job.CheckerFailed, &got
	}
	return nil
}

// cutOutput keeps the first n bytes of o. The copy lets go of the rest.
func cutOutput(o *job.Output, n int) {
	if len(o.Data) > n {
		o.Data, o.Truncated = slices.Clone(o.Data[:n]), true
	}
}
