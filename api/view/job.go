// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"time"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// Job is a job as the API shows it.
type Job struct {
	JobID       string          `json:"jobId"`
	ExecutionID string          `json:"executionId,omitempty"` // only where a single job is shown
	TenantID    string          `json:"tenantId"`
	TraceID     *string         `json:"traceId"` // of the request that submitted it
	Language    string          `json:"language"`
	Status      string          `json:"status"`
	CreatedAt   *Stamp          `json:"createdAt"`
	UpdatedAt   *Stamp          `json:"updatedAt"`
	StartedAt   *Stamp          `json:"startedAt"`
	CompletedAt *Stamp          `json:"completedAt"`
	Request     Request         `json:"request"`
	Attempts    Attempts        `json:"attempts"`
	Result      *Result         `json:"result"`
	Billing     Billing         `json:"billing"`
	Tier        *string         `json:"computeTier"`
	Purchase    *string         `json:"purchaseOption"`
	Category    *string         `json:"failureCategory"`
	Analysis    json.RawMessage `json:"analysis"`
	AnalysisBy  *string         `json:"analysisProvider"`
	AnalysisAt  *Stamp          `json:"analysisUpdatedAt"`
	AnalysisWhy *string         `json:"analysisFallbackReason"`
	Error       *string         `json:"error"` // a fault of the service, never of the program
	RuntimeMs   *int64          `json:"runtimeMs"`
	ExitCode    *int            `json:"exitCode"`
	Timestamp   *Stamp          `json:"timestamp"`
	Environment string          `json:"executionEnvironment"`

	Priority          string `json:"priority"`
	CancelRequestedAt *Stamp `json:"cancelRequestedAt"`

	WaitingFor string `json:"waitingFor,omitempty"` // ForWorker or ForLanguage, of a single job that no worker can run now

	Ignored []string `json:"ignored,omitempty"` // members of the submission that have no meaning; only in the answer to it
}

// Values of Job.WaitingFor.
const (
	ForWorker   = "worker"   // no worker can run any job
	ForLanguage = "language" // workers can, but none in the job's language
)

// Request has the limits that a job was submitted with.
type Request struct {
	TimeoutMs     int64 `json:"timeoutMs"`
	MemoryMb      int64 `json:"memoryMb"`
	CPUMillicores int64 `json:"cpuMillicores"`
}

// Attempts are the runs of a job.
type Attempts struct {
	Max     *int `json:"max"`
	Made    int  `json:"made"`
	Current *int `json:"current"` // null once finished
}

// Billing is the cost of a job.
type Billing struct {
	EstimatedCostUsd   float64 `json:"estimatedCostUsd"`
	BillableDurationMs int64   `json:"billableDurationMs"`
	CostModelVersion   *string `json:"costModelVersion"`
}

// Stamp is a time in ISO 8601, UTC, with milliseconds; the zero time is null.
type Stamp time.Time

// MarshalJSON writes the time as JavaScript's toISOString does.
func (t Stamp) MarshalJSON() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// Time is a stamp of t, null for the zero time.
func Time(t time.Time) *Stamp {
	if t.IsZero() {
		return nil
	}
	s := Stamp(t)
	return &s
}

// NewJob shows a stored job. coded asks for the output as base64 too.
func NewJob(rec queue.Record, coded bool) Job {
	v := Job{
		JobID: rec.ID, TenantID: rec.Tenant, TraceID: Text(rec.TraceID), Language: rec.Language,
		Status:    Status(rec),
		CreatedAt: Time(rec.CreatedAt), UpdatedAt: Time(rec.UpdatedAt),
		StartedAt: Time(rec.StartedAt), CompletedAt: Time(rec.CompletedAt),
		Request: Request(rec.Request),
		Attempts: Attempts{
			Max: Number(rec.MaxAttempts), Made: rec.AttemptsMade, Current: Number(rec.CurrentAttempt),
		},
		Billing: Billing{
			EstimatedCostUsd: rec.EstimatedCostUsd, BillableDurationMs: rec.BillableDurationMs,
			CostModelVersion: Text(rec.CostModelVersion),
		},
		Category:    Text(rec.FailureCategory),
		Error:       Text(rec.Error),
		Timestamp:   Time(firstTime(rec.CompletedAt, rec.StartedAt, rec.CreatedAt, rec.UpdatedAt)),
		Tier:        Text(rec.Dispatch.ComputeTier),
		Purchase:    Text(rec.Dispatch.PurchaseOption),
		Environment: environment(rec.Dispatch),
		Priority:    decode.PriorityWord(rec.Priority), CancelRequestedAt: Time(rec.CancelRequestedAt),
	}
	if a := rec.Analysis; a.Report != nil {
		v.Analysis, v.AnalysisBy, v.AnalysisAt, v.AnalysisWhy = a.Report, Text(a.Provider), Time(a.UpdatedAt), Text(a.FallbackReason)
	}
	if rec.Result != nil {
		v.Result = NewResult(rec.Result, coded)
		v.RuntimeMs, v.ExitCode = &v.Result.DurationMs, v.Result.ExitCode
	}
	return v
}

// environment names where the job's latest attempt runs or ran, in the contract's words.
func environment(d job.Dispatch) string {
	if d.TaskARN != "" {
		return "ecs-fargate-runner"
	}
	return "local-runner"
}

// NewSingle is NewJob for a job that is shown alone: it has a second name there.
func NewSingle(rec queue.Record, coded bool) Job {
	v := NewJob(rec, coded)
	v.ExecutionID = rec.ID
	return v
}

// Status is the state that is shown.
func Status(rec queue.Record) string { return string(rec.Shown()) }

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// Number is n, null for 0.
func Number(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
