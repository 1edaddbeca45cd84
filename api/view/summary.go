// SPDX-License-Identifier: Apache-2.0

package view

import "github.com/ccee-dev/ccee/queue"

// Summary is a job in a history without output: the same members, with a result of only those that stand
// at the top of the contract's result.
type Summary struct {
	Job
	Result *ResultSummary `json:"result"`
}

// ResultSummary is a result without output.
type ResultSummary struct {
	Status     string  `json:"status"`
	ExitCode   *int    `json:"exitCode"`
	Signal     *string `json:"signal"`
	TimedOut   bool    `json:"timedOut"`
	DurationMs int64   `json:"durationMs"`
	Verdict    string  `json:"verdict"`
	Tests      *Tests  `json:"tests,omitempty"`
}

// NewSummary shows a stored job without its output.
func NewSummary(rec queue.Record) Summary {
	v := Summary{Job: NewJob(rec, false)}
	if r := rec.Result; r != nil {
		v.Result = &ResultSummary{Tests: newTests(r.Tests, false), Status: string(r.Status), ExitCode: r.ExitCode, Signal: Text(r.Signal), TimedOut: r.TimedOut(),
			DurationMs: wholeMs(r.WallMs), Verdict: string(r.Verdict)}
	}
	return v
}
