// SPDX-License-Identifier: Apache-2.0

package view

import "github.com/ccee-dev/ccee/queue"

// Logs is the answer of GET /executions/:jobId/logs.
type Logs struct {
	ExecutionID string `json:"executionId"`
	TraceID     string `json:"traceId"` // of this request, unlike a job's
	Status      string `json:"status"`
	Logs        Output `json:"logs"`
	TimedOut    bool   `json:"timedOut"`
	DurationMs  *int64 `json:"durationMs"`
	UpdatedAt   *Stamp `json:"updatedAt"`
}

// Output is the output of a job.
type Output struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	Tails
}

// NewLogs shows the output of a job; empty strings while there is no result.
func NewLogs(rec queue.Record, trace string) Logs {
	v := Logs{
		ExecutionID: rec.ID, TraceID: trace, Status: Status(rec), UpdatedAt: Time(rec.UpdatedAt),
	}
	if rec.Result != nil {
		r := NewResult(rec.Result, false)
		v.Logs = Output{r.Stdout, r.Stderr, r.Tails}
		v.TimedOut, v.DurationMs = r.TimedOut, &r.DurationMs
	}
	return v
}
