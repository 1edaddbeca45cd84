// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// Options are what a Service is made of.
type Options struct {
	Queue *queue.Queue
	Log   zerolog.Logger

	Languages []job.Language // that can be submitted although no worker has announced them

	RateLimit   int64         // a tenant's requests in a window
	SubmitLimit int64         // a tenant's submissions in a window
	RateWindow  time.Duration // whole seconds

	MaxSourceBytes int   // of sourceCode, in UTF-8
	MaxStdinBytes  int   // of stdin
	MaxAttempts    int   // runs of a job that fails by our fault
	MaxStoredBytes int64 // that a tenant's jobs take in Redis, unless its principal says otherwise

	Timeout  time.Duration   // for one step of the queue
	Draining context.Context // done when every Wait shall return

	// Observe, unless nil, is called for each submission that reached the queue, with what Submit returns for it.
	Observe func(tenant, language string, a queue.Admission, err error)
}

// Service admits submissions. It is made by New and safe for concurrent use.
type Service struct {
	*Catalogue
	opts Options
}

// New returns the service over a queue.
func New(o Options) *Service {
	return &Service{Catalogue: NewCatalogue(o.Queue.Fleet, o.Languages), opts: o}
}

// Principal is whoever a submission counts for: the tenant that pays, the credential, and what they may use.
type Principal struct {
	Tenant      string
	Subject     string // one caller among the tenant's, for the audit
	Type        string // how the credential was presented, for the audit
	Fingerprint string // of the credential

	MaxConcurrentJobs int64 // unfinished jobs at a time, queued ones included; 0 admits nothing
	MaxDailyJobs      int64 // submissions a day (UTC); 0 admits nothing
	MaxStoredBytes    int64 // that its jobs take in Redis; 0: Options.MaxStoredBytes

	// Unlimited is for an operator's load test: neither quotas nor windows hold, and the jobs are not audited one by one.
	Unlimited bool
}

// Origin is the request that a submission came with.
type Origin struct {
	TraceID     string
	TraceParent string // of the request's span, for the worker's; "" for none
	Method      string // for the audit, as Path
	Path        string // its route, never the caller's own text
	Counted     bool   // in the tenant's window of requests already
}

// Submission is a job to be admitted. The Service sets the ID and the Tenant of its Spec.
type Submission struct {
	Spec     job.Spec
	Request  queue.Request // the limits as they are shown with the job
	Priority queue.Priority
	Webhook  queue.Webhook

	// Key is an idempotency key: with the same one the tenant gets the same job again. "" is none.
	Key    string
	Digest string // of everything that the caller chose, see Digest; with Key
}

// Digest returns a value for Submission.Digest: the same for the same bytes only.
func Digest(request []byte) string {
	sum := sha256.Sum256(request)
	return hex.EncodeToString(sum[:])
}

// unlimited is a quota that nobody reaches.
const unlimited = 1 << 40

// Submit puts a job on the queue. The error is a *Refusal; the Admission's Requests are set even then, if the window could be read.
func (s *Service) Submit(ctx context.Context, who Principal, from Origin, sub Submission) (queue.Admission, error) {
	if big := s.oversize(sub); big != nil {
		return s.refuseSize(ctx, who, from, big)
	}
	a, err := s.admit(ctx, who, from, sub)
	s.auditFailure(ctx, who, from, err)
	return a, err
}

// admit is Submit for a job whose size was checked.
func (s *Service) admit(ctx context.Context, who Principal, from Origin, sub Submission) (queue.Admission, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	sub.Spec.ID, sub.Spec.Tenant, sub.Spec.TraceParent = uuid.NewString(), who.Tenant, from.TraceParent
	q := queue.Submission{
		Spec: sub.Spec, Request: sub.Request, TraceID: from.TraceID, Path: from.Path, Priority: sub.Priority, Webhook: sub.Webhook,
		Fingerprint: who.Fingerprint, AuthType: who.Type, Subject: who.Subject,
		MaxConcurrent: who.MaxConcurrentJobs, MaxDaily: who.MaxDailyJobs, MaxStored: s.StoredQuota(who), MaxAttempts: s.opts.MaxAttempts,
		Window: s.opts.RateWindow, RequestLimit: s.opts.RateLimit, SubmitLimit: s.opts.SubmitLimit,
		IdempotencyKey: sub.Key, RequestDigest: sub.Digest,
	}
	if from.Counted {
		q.RequestLimit = 0
	}
	if who.Unlimited {
		q.MaxConcurrent, q.MaxDaily, q.MaxStored = unlimited, unlimited, unlimited
		q.RequestLimit, q.SubmitLimit, q.Unaudited = 0, 0, true
	}
	a, err := s.opts.Queue.Submit(ctx, q)
	err = refuse(err)
	if s.opts.Observe != nil {
		s.opts.Observe(who.Tenant, sub.Spec.Language, a, err)
	}
	return a, err
}

// StoredQuota returns how many bytes the jobs of a principal's tenant may take in Redis.
func (s *Service) StoredQuota(who Principal) int64 {
	return cmp.Or(who.MaxStoredBytes, s.opts.MaxStoredBytes)
}

// oversize returns the first text of a submission that has too many bytes, the source before the input; nil if they fit.
func (s *Service) oversize(sub Submission) *Size {
	for _, part := range []struct {
		field    string
		len, max int
	}{
		{"sourceCode", len(sub.Spec.Source), s.opts.MaxSourceBytes},
		{"stdin", len(sub.Spec.Stdin), s.opts.MaxStdinBytes},
	} {
		if part.len > part.max {
			return &Size{Field: part.field, Bytes: part.len, MaxBytes: part.max}
		}
	}
	return nil
}

// refuseSize refuses a submission that is too large. It may be one of too many requests first: that refusal comes before.
func (s *Service) refuseSize(ctx context.Context, who Principal, from Origin, big *Size) (queue.Admission, error) {
	var a queue.Admission
	if !from.Counted && !who.Unlimited {
		var err error
		if a.Requests, err = s.Count(ctx, who, from); err != nil {
			return a, err
		}
	}
	s.audit(ctx, who, from, "submission_rejected_size", map[string]any{"field": big.Field, "bytes": big.Bytes, "maxBytes": big.MaxBytes})
	return a, &Refusal{Code: TooLarge, Size: big}
}

// Count counts a request in its tenant's window. The error is a *Refusal: RateLimited when the window is full, or Unavailable.
func (s *Service) Count(ctx context.Context, who Principal, from Origin) (queue.Rate, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	rate, err := s.opts.Queue.Rate(ctx, queue.RateRequest{
		Tenant: who.Tenant, Limit: s.opts.RateLimit, Window: s.opts.RateWindow, TraceID: from.TraceID, Method: from.Method, Path: from.Path,
	})
	if err == nil && !rate.Allowed {
		err = &queue.RateError{Kind: queue.Requests, Rate: rate}
	}
	return rate, refuse(err)
}
