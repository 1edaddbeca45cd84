// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccee-dev/ccee/job"
)

// Priority orders a tenant's own waiting jobs. It means nothing between tenants.
type Priority int8

// The priorities.
const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

// Submission is a job to be admitted, with the caller's quotas and limits. What is stored of it is read back as a Record, Lease or Stored.
type Submission struct {
	Spec        job.Spec // validated; ID and Tenant are required
	Request     Request
	TraceID     string // of the submitting request
	Path        string // of that request, for the audit: its route
	Fingerprint string // of the credential that submitted it
	AuthType    string // how that credential was presented, for the audit
	Subject     string // its owner, for the audit
	Priority    Priority
	MaxAttempts int     // how often it may be started, at least 1
	Webhook     Webhook // a URL of "" is none
	Unaudited   bool    // without a job_submitted in the audit: the caller writes one event for many jobs

	// The tenant's quotas. 0 admits nothing.
	MaxConcurrent int64 // unfinished jobs, waiting ones included
	MaxDaily      int64 // submissions on one UTC day
	MaxStored     int64 // bytes that its jobs take in Redis; 0: DefaultMaxStored

	// The tenant's limits of requests, counted in the same step. A limit of 0 is not counted.
	Window                    time.Duration // whole seconds
	RequestLimit, SubmitLimit int64

	// IdempotencyKey, unless it is "", admits one job in IdempotencyTTL: the same key returns the same job again.
	IdempotencyKey string
	RequestDigest  string // of everything that the caller chose, to notice a key that is used for another request; no spaces
}

// IdempotencyTTL is how long an IdempotencyKey holds.
const IdempotencyTTL = 24 * time.Hour

// Admission is the answer to a submission.
type Admission struct {
	ID       string // of the job: that of an earlier submission if Replayed
	Replayed bool   // IdempotencyKey had admitted ID before
	Stored   int64  // bytes that the tenant's jobs take
	Requests Rate   // the limit of requests, also when the error is not nil; zero if RequestLimit was 0 or Redis is unreachable
}

// ErrKeyReused means that the IdempotencyKey was used before, for another request.
var ErrKeyReused = errors.New("the idempotency key was used for another request")

// RateError is returned as *RateError by Submit for a request or submission beyond the limit.
type RateError struct {
	Kind RateKind
	Rate Rate
}

func (e *RateError) Error() string {
	return fmt.Sprintf("%s: %d in one window, %d are allowed", e.Kind, e.Rate.Used, e.Rate.Limit)
}

// The reasons of a QuotaError.
const (
	MaxConcurrentJobs = "max_concurrent_jobs"
	MaxDailyJobs      = "max_daily_jobs"
	MaxStoredBytes    = "max_stored_bytes"
)

// QuotaError is returned as *QuotaError by Submit for a job that the tenant's quota does not admit.
type QuotaError struct {
	Reason                             string // MaxConcurrentJobs, MaxDailyJobs or MaxStoredBytes
	Active, Daily, Stored              int64  // used now
	MaxConcurrent, MaxDaily, MaxStored int64
	// StoredLess is the time until some of the stored data expires; more than 0.
	StoredLess time.Duration
}

func (e *QuotaError) Error() string {
	switch e.Reason {
	case MaxStoredBytes:
		return fmt.Sprintf("the tenant's jobs take %d bytes, and this one does not fit into the %d that are allowed", e.Stored, e.MaxStored)
	case MaxDailyJobs:
		return fmt.Sprintf("the tenant has submitted %d jobs today, %d are allowed", e.Daily, e.MaxDaily)
	}
	return fmt.Sprintf("the tenant has %d unfinished jobs, %d are allowed", e.Active, e.MaxConcurrent)
}

// Submit admits a job: it counts it towards the tenant's limits, takes a slot of the quota, stores the job, adds it to the history and
// the audit and queues it, all in one step. It is idempotent: if the tenant has a job of that id it changes nothing and returns nil.
//
// The error is a *RateError, a *QuotaError, ErrFull, ErrKeyReused, a *job.Error with code invalid or conflict (the id is another
// tenant's), or says that Redis is unreachable; then the job may have been admitted nevertheless, and repeating the call with the same id
// is safe.
func (q *Queue) Submit(ctx context.Context, s Submission) (Admission, error) {
	s.MaxStored = cmp.Or(s.MaxStored, DefaultMaxStored)
	args, err := submitArgs(s, q.memory.room(ctx, q))
	if err != nil {
		return Admission{}, err
	}
	what := "submit job " + s.Spec.ID
	r, err := q.list(ctx, q.steps.submit, 9, what, args...)
	if err != nil && ctx.Err() == nil && !redis.HasErrorPrefix(err, "OOM") {
		// Once more, as a restart of Redis may have broken the connection.
		r, err = q.list(ctx, q.steps.submit, 9, what, args...)
	}
	switch {
	case redis.HasErrorPrefix(err, "OOM"):
		return Admission{}, ErrFull
	case err != nil:
		return Admission{}, err
	}
	outcome, at := text(r[0]), integer(r[6])
	a := Admission{ID: text(r[1]), Stored: integer(r[7])}
	if s.RequestLimit > 0 {
		a.Requests = rateOf(r[4], s.RequestLimit, at)
	}
	switch outcome {
	case "ok", "exists":
		return a, nil
	case "replayed":
		a.Replayed = true
		return a, nil
	case "reused":
		return a, ErrKeyReused
	case "taken":
		return a, job.Errorf(job.EConflict, "the job id %s is in use; choose another", s.Spec.ID)
	case "rate_limited":
		return a, &RateError{Requests, a.Requests}
	case "submit_rate_limited":
		return a, &RateError{Submits, rateOf(r[5], s.SubmitLimit, at)}
	case "full":
		return a, ErrFull
	case MaxConcurrentJobs, MaxDailyJobs, MaxStoredBytes:
		return a, &QuotaError{Reason: outcome, Active: integer(r[2]), Daily: integer(r[3]), Stored: integer(r[7]),
			MaxConcurrent: s.MaxConcurrent, MaxDaily: s.MaxDaily, MaxStored: s.MaxStored, StoredLess: time.Duration(integer(r[8])-at+1) * time.Millisecond}
	default:
		return a, q.explain(what, fmt.Errorf("unexpected outcome %q", outcome))
	}
}

// submitArgs returns the arguments of submit.lua; room is its 17th.
func submitArgs(s Submission, room any) ([]any, error) {
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
	case (s.RequestLimit > 0 || s.SubmitLimit > 0) && !wholeSeconds(s.Window):
		return nil, job.Errorf(job.EInternal, "submit job %s: a window of %v is not one of whole seconds", spec.ID, s.Window)
	}
	// Source and input have their own fields: binary-safe, and not escaped in JSON a second time.
	source, stdin := spec.Source, spec.Stdin
	spec.Source, spec.Stdin = "", nil
	rest, err := json.Marshal(spec)
	if err != nil {
		return nil, job.Errorf(job.EInternal, "encode job %s: %v", spec.ID, err)
	}
	key := ""
	if s.IdempotencyKey != "" {
		key = keyDigest(s.IdempotencyKey)
	}
	submitted, err := json.Marshal(s.submitted())
	if s.Unaudited {
		submitted = nil
	}
	if err != nil {
		return nil, job.Errorf(job.EInternal, "encode the audit of job %s: %v", spec.ID, err)
	}
	args := []any{spec.ID, spec.Tenant, int(s.Priority), s.MaxConcurrent, s.MaxDaily,
		seconds(s.Window), s.RequestLimit, s.SubmitLimit, key, s.RequestDigest, seconds(IdempotencyTTL), s.TraceID, s.Path, submitted,
		s.MaxStored, mayStore(spec), room,
		"apiKeyFingerprint", s.Fingerprint, "language", spec.Language,
		"sourceCode", source, "stdin", stdin, "spec", rest, "maxAttempts", s.MaxAttempts,
		"timeoutMs", s.Request.TimeoutMs, "memoryMb", s.Request.MemoryMb, "cpuMillicores", s.Request.CPUMillicores}
	if s.Webhook.URL != "" {
		args = append(args, "webhookUrl", s.Webhook.URL, "webhookSecret", s.Webhook.Secret, "webhookHost", hookHost(s.Webhook.URL))
	}
	return args, nil
}

// keyDigest names an idempotency key in Redis: callers choose keys, so they have any bytes and any length.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// submitted returns the metadata of job_submitted.
func (s *Submission) submitted() any {
	return struct {
		TraceID       string `json:"traceId"`
		AuthType      string `json:"authType"`
		Subject       string `json:"subject"`
		Language      string `json:"language"`
		TimeoutMs     int64  `json:"timeoutMs"`
		MemoryMb      int64  `json:"memoryMb"`
		CPUMillicores int64  `json:"cpuMillicores"`
		MaxAttempts   int    `json:"maxAttempts"`
	}{s.TraceID, s.AuthType, s.Subject, s.Spec.Language, s.Request.TimeoutMs, s.Request.MemoryMb, s.Request.CPUMillicores, s.MaxAttempts}
}
