package api

import (
	"encoding/json"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// jobView is a job as the API shows it.
type jobView struct {
	JobID       string          `json:"jobId"`
	ExecutionID string          `json:"executionId,omitempty"` // only where a single job is shown
	TenantID    string          `json:"tenantId"`
	TraceID     *string         `json:"traceId"` // of the request that submitted it
	Language    string          `json:"language"`
	Status      string          `json:"status"`
	CreatedAt   *stamp          `json:"createdAt"`
	UpdatedAt   *stamp          `json:"updatedAt"`
	StartedAt   *stamp          `json:"startedAt"`
	CompletedAt *stamp          `json:"completedAt"`
	Request     requestView     `json:"request"`
	Attempts    attemptsView    `json:"attempts"`
	Result      *resultView     `json:"result"`
	Billing     billingView     `json:"billing"`
	Tier        *string         `json:"computeTier"`
	Purchase    *string         `json:"purchaseOption"`
	Category    *string         `json:"failureCategory"`
	Analysis    json.RawMessage `json:"analysis"`
	AnalysisBy  *string         `json:"analysisProvider"`
	AnalysisAt  *stamp          `json:"analysisUpdatedAt"`
	AnalysisWhy *string         `json:"analysisFallbackReason"`
	Error       *string         `json:"error"` // our fault, never the program's
	RuntimeMs   *int64          `json:"runtimeMs"`
	ExitCode    *int            `json:"exitCode"`
	Timestamp   *stamp          `json:"timestamp"`
	Environment string          `json:"executionEnvironment"`

	Priority          string `json:"priority"`
	CancelRequestedAt *stamp `json:"cancelRequestedAt"`

	Ignored []string `json:"ignored,omitempty"` // members of the submission that mean nothing; only in the answer to it
}

type requestView struct {
	TimeoutMs     int64 `json:"timeoutMs"`
	MemoryMb      int64 `json:"memoryMb"`
	CPUMillicores int64 `json:"cpuMillicores"`
}

type attemptsView struct {
	Max     *int `json:"max"`
	Made    int  `json:"made"`
	Current *int `json:"current"` // null once finished
}

type billingView struct {
	EstimatedCostUsd   float64 `json:"estimatedCostUsd"`
	BillableDurationMs int64   `json:"billableDurationMs"`
	CostModelVersion   *string `json:"costModelVersion"`
}

// stamp is a time in ISO 8601, UTC, with milliseconds; the zero time is null.
type stamp time.Time

// MarshalJSON writes the time as JavaScript's toISOString does.
func (t stamp) MarshalJSON() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

func stampOrNull(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

// viewJob shows a stored job. coded asks for the output as base64 too.
func viewJob(rec queue.Record, coded bool) jobView {
	v := jobView{
		JobID: rec.ID, TenantID: rec.Tenant, TraceID: orNull(rec.TraceID), Language: rec.Language,
		Status:    publicStatus(rec),
		CreatedAt: stampOrNull(rec.CreatedAt), UpdatedAt: stampOrNull(rec.UpdatedAt),
		StartedAt: stampOrNull(rec.StartedAt), CompletedAt: stampOrNull(rec.CompletedAt),
		Request: requestView(rec.Request),
		Attempts: attemptsView{
			Max: numberOrNull(rec.MaxAttempts), Made: rec.AttemptsMade, Current: numberOrNull(rec.CurrentAttempt),
		},
		Billing: billingView{
			EstimatedCostUsd: rec.EstimatedCostUsd, BillableDurationMs: rec.BillableDurationMs,
			CostModelVersion: orNull(rec.CostModelVersion),
		},
		Category:    orNull(rec.FailureCategory),
		Error:       orNull(rec.Error),
		Timestamp:   stampOrNull(firstTime(rec.CompletedAt, rec.StartedAt, rec.CreatedAt, rec.UpdatedAt)),
		Environment: "local-runner",
		Priority:    priorityWord(rec.Priority), CancelRequestedAt: stampOrNull(rec.CancelRequestedAt),
	}
	if said := rec.Verbal; said.Analysis != nil {
		v.Analysis, v.AnalysisBy, v.AnalysisAt, v.AnalysisWhy = said.Analysis, orNull(said.Provider), stampOrNull(said.UpdatedAt), orNull(said.FallbackReason)
	}
	if rec.Result != nil {
		v.Result = viewResult(rec.Result, coded)
		v.RuntimeMs, v.ExitCode = &v.Result.DurationMs, v.Result.ExitCode
	}
	return v
}

// viewSingle is viewJob with the second name that a job has where it is shown alone.
func viewSingle(rec queue.Record, coded bool) jobView {
	v := viewJob(rec, coded)
	v.ExecutionID = rec.ID
	return v
}

// publicStatus is the state that is shown.
func publicStatus(rec queue.Record) string { return string(rec.Shown()) }

func priorityWord(p queue.Priority) string {
	for word, q := range priorities {
		if q == p {
			return word
		}
	}
	return "normal"
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func numberOrNull(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
