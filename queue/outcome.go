// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/ccee-dev/ccee/job"
)

// Outcome is the end of a job, to be stored.
type Outcome struct {
	Result             job.Result
	FailureCategory    string  // none, timeout, user_code, runtime, infrastructure
	EstimatedCostUsd   float64 // stored with 8 decimals
	BillableDurationMs int64
	CostModelVersion   string
	Dispatch           job.Dispatch // as recorded by Lease.Dispatch; zero: none
}

// completeArgs returns the arguments of complete.lua behind those of every lease.
func (l *Lease) completeArgs(o Outcome) ([]any, error) {
	// The output files have their own field, as histories are read without them.
	files, size := "", 0
	if o.Result.OutputFiles != nil {
		b, err := json.Marshal(o.Result.OutputFiles)
		if err != nil {
			return nil, fmt.Errorf("encode its output files: %w", err)
		}
		files, size, o.Result.OutputFiles = string(pack(b)), len(b), nil
	}
	res, err := json.Marshal(o.Result.Compact())
	if err != nil {
		return nil, fmt.Errorf("encode its result: %w", err)
	}
	// So has the result without its steps, for lists of jobs: the steps' output is by far the largest part.
	summary := o.Result
	summary.Steps = nil
	if t := summary.Tests; t != nil {
		summary.Tests = &job.TestResults{Total: t.Total, Passed: t.Passed}
	}
	short, err := json.Marshal(summary)
	if err != nil {
		return nil, fmt.Errorf("encode its summary: %w", err)
	}
	ended, err := json.Marshal(l.ended(o))
	if err != nil {
		return nil, fmt.Errorf("encode its audit: %w", err)
	}
	return []any{string(o.Result.Status), pack(res), o.FailureCategory, strconv.FormatFloat(o.EstimatedCostUsd, 'f', 8, 64),
		o.BillableDurationMs, o.CostModelVersion, files, short, ended, len(res) + size}, nil
}

// ended returns the metadata of job_succeeded, job_failed and job_cancelled with a result.
func (l *Lease) ended(o Outcome) any {
	code := -1 // dashboards expect it for none
	if o.Result.ExitCode != nil {
		code = *o.Result.ExitCode
	}
	return struct {
		TraceID          string      `json:"traceId"`
		TimedOut         bool        `json:"timedOut"`
		ExitCode         int         `json:"exitCode"`
		DurationMs       int64       `json:"durationMs"`
		EstimatedCostUsd float64     `json:"estimatedCostUsd"`
		FailureCategory  string      `json:"failureCategory"`
		Verdict          job.Verdict `json:"verdict"`
		ComputeTier      string      `json:"computeTier,omitempty"`
		PurchaseOption   string      `json:"purchaseOption,omitempty"`
	}{l.TraceID, o.Result.TimedOut(), code, int64(math.Round(o.Result.WallMs)), o.EstimatedCostUsd, o.FailureCategory, o.Result.Verdict,
		o.Dispatch.ComputeTier, o.Dispatch.PurchaseOption}
}
