package queue

import (
	"context"
	"encoding/json"
	"fmt"

	"ccee/api/job"
)

// Priority orders a tenant's own waiting jobs. Between tenants there is only fairness.
type Priority int8

// The priorities.
const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

// Submission is a job to be admitted.
type Submission struct {
	Spec        job.Spec // validated; ID and Tenant are required
	Request     Request
	TraceID     string // of the submitting request
	Fingerprint string // of the credential that submitted it
	Priority    Priority
	MaxAttempts int // how often it may be started, at least 1

	// The tenant's quotas. 0 admits nothing.
	MaxConcurrent int64 // unfinished jobs, those that wait included
	MaxDaily      int64 // submissions on one UTC day
}

// The reasons of a QuotaError.
const (
	MaxConcurrentJobs = "max_concurrent_jobs"
	MaxDailyJobs      = "max_daily_jobs"
)

// QuotaError is returned as *QuotaError by Enqueue for a job that the tenant's quota does not admit.
type QuotaError struct {
	Reason                  string // MaxConcurrentJobs or MaxDailyJobs
	Active, Daily           int64  // used now
	MaxConcurrent, MaxDaily int64
}

func (e *QuotaError) Error() string {
	if e.Reason == MaxDailyJobs {
		return fmt.Sprintf("the tenant has submitted %d jobs today, %d are allowed", e.Daily, e.MaxDaily)
	}
	return fmt.Sprintf("the tenant has %d unfinished jobs, %d are allowed", e.Active, e.MaxConcurrent)
}

// Enqueue admits a job: it takes a slot of the quota, stores the job, notes it in the history and makes it wait for a worker,
// all in one step. It is idempotent: for a job of that id and tenant that exists it changes nothing and returns nil.
//
// The error is a *QuotaError, a *job.Error with code invalid or conflict (the id is another tenant's), or says that Redis could
// not be asked; then the job may have been admitted nevertheless, and repeating the call with the same id is safe.
func (q *Queue) Enqueue(ctx context.Context, s Submission) error {
	args, err := enqueueArgs(s)
	if err != nil {
		return err
	}
	what := "enqueue job " + s.Spec.ID
	r, err := q.list(ctx, q.steps.enqueue, 3, what, args...)
	if err != nil && ctx.Err() == nil {
		// Once more, as the connection may have been one that a restart of Redis had broken.
		r, err = q.list(ctx, q.steps.enqueue, 3, what, args...)
	}
	if err != nil {
		return err
	}
	switch outcome := text(r[0]); outcome {
	case "ok", "exists":
		return nil
	case "taken":
		return job.Errorf(job.EConflict, "the job id %s is in use; choose another", s.Spec.ID)
	case MaxConcurrentJobs, MaxDailyJobs:
		return &QuotaError{Reason: outcome, Active: integer(r[1]), Daily: integer(r[2]), MaxConcurrent: s.MaxConcurrent, MaxDaily: s.MaxDaily}
	default:
		return q.explain(what, fmt.Errorf("unexpected outcome %q", outcome))
	}
}

func enqueueArgs(s Submission) ([]any, error) {
	spec := s.Spec
	switch {
	case spec.ID == "":
		return nil, job.Invalid("id", "is required")
	case spec.Tenant == "":
		return nil, job.Invalid("tenant", "is required")
	case s.MaxAttempts < 1:
		return nil, job.Invalid("maxAttempts", "is %d, it must be at least 1", s.MaxAttempts)
	case s.Priority < Low || s.Priority > High:
		return nil, job.Invalid("priority", "is %d, it must be %d to %d", s.Priority, Low, High)
	}
	// Source and input have fields of their own: binary-safe, and not escaped into JSON a second time.
	source, stdin := spec.Source, spec.Stdin
	spec.Source, spec.Stdin = "", nil
	rest, err := json.Marshal(spec)
	if err != nil {
		return nil, job.Errorf(job.EInternal, "encode job %s: %v", spec.ID, err)
	}
	return []any{spec.ID, spec.Tenant, s.MaxConcurrent, s.MaxDaily, int(s.Priority),
		"traceId", s.TraceID, "apiKeyFingerprint", s.Fingerprint, "language", spec.Language,
		"sourceCode", source, "stdin", stdin, "spec", rest, "maxAttempts", s.MaxAttempts,
		"timeoutMs", s.Request.TimeoutMs, "memoryMb", s.Request.MemoryMb, "cpuMillicores", s.Request.CPUMillicores}, nil
}
