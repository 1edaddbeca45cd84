// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// State is a job's stored state. The API shows a failed job whose result timed out as "timed_out".
type State string

// The states. Succeeded, Failed and Cancelled are final: no script changes them.
const (
	Queued     State = "queued"     // waits for its first run
	Retrying   State = "retrying"   // an attempt failed by our fault; another follows
	Running    State = "running"    // a worker holds the lease
	Dispatched State = "dispatched" // a worker holds the lease, and a remote backend has the job; only shown, stored as running
	Succeeded  State = "succeeded"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
)

// TimedOut is how a failed job is shown whose result ran out of time. It is never stored.
const TimedOut State = "timed_out"

// Shown returns the job's state as tenants see it.
func (r Record) Shown() State {
	switch {
	case r.Status == Failed && r.Result != nil && r.Result.TimedOut():
		return TimedOut
	case r.Status == Running && r.Dispatch.TaskARN != "":
		return Dispatched
	}
	return r.Status
}

// Final reports whether the state never changes again.
func (s State) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Request has the limits that the tenant requested, in the units of the public API. They are shown again and billed; the sandbox enforces
// Spec.Run.
type Request struct {
	TimeoutMs     int64 // milliseconds
	MemoryMb      int64 // MiB
	CPUMillicores int64 // 1000 is one core
}

// Record is a stored job without its source and input.
type Record struct {
	ID       string
	Tenant   string
	TraceID  string // of the request that submitted it; "" if it had none
	Language string
	Status   State
	Request  Request
	Priority Priority

	// By Redis's clock; zero: not yet.
	CreatedAt, UpdatedAt, StartedAt, CompletedAt        time.Time
	RetryScheduledAt, CancelRequestedAt, DeadLetteredAt time.Time

	MaxAttempts    int
	AttemptsMade   int // started so far
	CurrentAttempt int // 0 once finished

	Large           int64       // from Look: bytes of result and output files that were left out; 0: none were
	Result          *job.Result // nil until a run ended, and for a job that never had one
	Error           string      // the last fault of ours, for the tenant; "" if there was none
	FailureCategory string      // none, timeout, user_code, runtime or infrastructure; "" until finished

	EstimatedCostUsd   float64
	BillableDurationMs int64
	CostModelVersion   string // "" until finished

	// Where a remote backend runs the latest attempt; zero: it runs on a daemon.
	Dispatch job.Dispatch

	Analysis Analysis
}

// recordFields are the fields of the job hash that make a Record, except outputFiles, which may be large.
var recordFields = []string{
	"jobId", "tenantId", "traceId", "language", "status", "timeoutMs", "memoryMb", "cpuMillicores", "priority",
	"createdAt", "updatedAt", "startedAt", "completedAt", "retryScheduledAt", "cancelRequestedAt", "deadLetteredAt",
	"maxAttempts", "attemptsMade", "currentAttempt", "result", "error", "failureCategory",
	"estimatedCostUsd", "billableDurationMs", "costModelVersion",
	"taskArn", "taskDefinitionArn", "computeTier", "purchaseOption",
	"analysis", "analysisProvider", "analysisUpdatedAt", "analysisFallbackReason",
}

// hash is a job hash as Redis returns it; a field that is not set reads as "".
type hash map[string]string

func (h hash) integer(field string) int64 { n, _ := strconv.ParseInt(h[field], 10, 64); return n }
func (h hash) float(field string) float64 { f, _ := strconv.ParseFloat(h[field], 64); return f }
func (h hash) time(field string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, h[field])
	return t
}

// record reads the recordFields. Damaged values read as zero, a damaged result as none: one damaged job must not make its tenant's history
// unreadable.
func (h hash) record() Record {
	r := Record{
		ID: h["jobId"], Tenant: h["tenantId"], TraceID: h["traceId"], Language: h["language"], Status: State(h["status"]),
		Request:   h.request(),
		Priority:  Priority(h.integer("priority")),
		CreatedAt: h.time("createdAt"), UpdatedAt: h.time("updatedAt"), StartedAt: h.time("startedAt"), CompletedAt: h.time("completedAt"),
		RetryScheduledAt: h.time("retryScheduledAt"), CancelRequestedAt: h.time("cancelRequestedAt"), DeadLetteredAt: h.time("deadLetteredAt"),
		MaxAttempts: int(h.integer("maxAttempts")), AttemptsMade: int(h.integer("attemptsMade")), CurrentAttempt: int(h.integer("currentAttempt")),
		Error: h["error"], FailureCategory: h["failureCategory"],
		EstimatedCostUsd: h.float("estimatedCostUsd"), BillableDurationMs: h.integer("billableDurationMs"), CostModelVersion: h["costModelVersion"],
		Dispatch: job.Dispatch{TaskARN: h["taskArn"], TaskDefinitionARN: h["taskDefinitionArn"], ComputeTier: h["computeTier"],
			PurchaseOption: h["purchaseOption"]},
		Analysis: Analysis{Provider: h["analysisProvider"], FallbackReason: h["analysisFallbackReason"], UpdatedAt: h.time("analysisUpdatedAt")},
	}
	if s := h["analysis"]; json.Valid([]byte(s)) {
		r.Analysis.Report = json.RawMessage(s)
	}
	if s := cmp.Or(h["result"], h["summary"]); s != "" {
		var res job.Result
		if json.Unmarshal(unpack(s), &res) == nil {
			r.Result = &res
		}
	}
	if s := h["outputFiles"]; s != "" && r.Result != nil {
		var files job.OutputFiles
		if json.Unmarshal(unpack(s), &files) == nil {
			r.Result.OutputFiles = &files
		}
	}
	return r
}

func (h hash) request() Request {
	return Request{TimeoutMs: h.integer("timeoutMs"), MemoryMb: h.integer("memoryMb"), CPUMillicores: h.integer("cpuMillicores")}
}

// submission reads what a job was submitted with. The error says which field of its hash is damaged.
func (h hash) submission(id, tenant string) (Submission, error) {
	var spec job.Spec
	if err := json.Unmarshal([]byte(h["spec"]), &spec); err != nil {
		return Submission{}, fmt.Errorf("field spec of job %s: %w", id, err)
	}
	if spec.ID != id || spec.Tenant != tenant {
		return Submission{}, fmt.Errorf("field spec of job %s is of job %q, tenant %q", id, spec.ID, spec.Tenant)
	}
	spec.Source = h["sourceCode"]
	if stdin := h["stdin"]; stdin != "" {
		spec.Stdin = []byte(stdin)
	}
	if err := spec.Validate(); err != nil {
		return Submission{}, fmt.Errorf("job %s: %w", id, err)
	}
	return Submission{Spec: spec, Request: h.request(), Priority: Priority(h.integer("priority")), MaxAttempts: int(h.integer("maxAttempts")),
		Webhook: Webhook{h["webhookUrl"], h["webhookSecret"]}}, nil
}
