package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/ccee-dev/ccee/queue"
)

// accepted is the answer to a submission.
type accepted struct {
	JobID        string `json:"jobId"`
	ExecutionID  string `json:"executionId"`
	TraceID      string `json:"traceId"`
	Status       string `json:"status"`
	StatusURL    string `json:"statusUrl"`
	ExecutionURL string `json:"executionUrl"`

	Ignored []string `json:"ignored,omitempty"` // members of the body that mean nothing
}

// maxKeyBytes bounds an Idempotency-Key.
const maxKeyBytes = 255

// createJob takes a submission: POST /v1/jobs. With ?waitMs=N it answers with the finished job, if it finishes in time. With an
// Idempotency-Key a repetition gives the same job.
func (s *Server) createJob(c *call) {
	sub, q, refuse := s.readSubmission(c)
	if refuse != nil {
		// It was too many of a tenant's requests, before it was a wrong one.
		if s.count(c) {
			refuse()
		}
		return
	}
	admitted, err := s.submit(c, sub, s.opts.RateLimit)
	if admitted.Requests.Limit > 0 {
		c.rateHeaders(admitted.Requests)
	}
	if err != nil {
		s.notAdmitted(c, err)
		return
	}
	c.dropBody()
	if admitted.Replayed {
		c.w.Header().Set("Idempotent-Replayed", "true")
	}
	answer := c.accepted(admitted.ID)
	answer.Ignored = sub.ignored
	if q.wait > 0 || admitted.Replayed {
		// The job is accepted whatever becomes of the waiting.
		if rec, err := s.await(c, admitted.ID, q.wait); err == nil {
			// A job that another caller submitted is not shown to who may only submit.
			if q.wait > 0 && rec.Status.Final() && (!admitted.Replayed || c.mayRead()) {
				view := viewSingle(rec, q.coded)
				view.Ignored = sub.ignored
				c.json(http.StatusOK, view)
				return
			}
			answer.Status = publicStatus(rec)
		}
	}
	c.json(http.StatusAccepted, answer)
}

// accepted is the answer for a job that was put on the queue this moment.
func (c *call) accepted(id string) accepted {
	return accepted{
		JobID: id, ExecutionID: id, TraceID: c.trace, Status: string(queue.Queued),
		StatusURL: "/v1/jobs/" + id, ExecutionURL: "/executions/" + id,
	}
}

// readSubmission decodes and judges query, headers and body. What is wrong is answered by refuse, which is nil when nothing is.
func (s *Server) readSubmission(c *call) (sub submission, q jobQuery, refuse func()) {
	ctx, cancel := c.redis()
	defer cancel()
	known, err := s.languages.languages(ctx)
	switch {
	case errors.Is(err, errNoRuntimes):
		return sub, q, func() { c.refuse(http.StatusServiceUnavailable, "submission_unavailable", "no_runtimes") }
	case err != nil:
		return sub, q, func() { c.unavailable(err) }
	}
	iss := newIssues()
	q = parseJobQuery(c.query(), iss)
	strict := c.strict(iss)
	key := c.idempotencyKey(iss)
	if !iss.any() {
		sub, iss = decodeSubmission(c.body, uuid.NewString(), c.who.Tenant, known, s.opts.Webhooks)
		if strict && sub.ignored != nil {
			iss.form(msgUnknown(sub.ignored))
		}
	}
	if iss.any() {
		return sub, q, func() { c.invalid(iss) }
	}
	sub.key, sub.digest = key, digest(c.body.json)
	if big := s.tooLarge(sub); big != nil {
		return sub, q, func() { s.refuseSize(c, big) }
	}
	return sub, q, nil
}

// strict reports whether the caller wants members that mean nothing to be refused.
func (c *call) strict(iss *issues) bool {
	return queryEnum(c.query().Values, "strict", []string{"0", "1"}, iss) == "1"
}

// idempotencyKey reads the header of that name, as draft-ietf-httpapi-idempotency-key-header has it; "" when it isn't there.
func (c *call) idempotencyKey(iss *issues) string {
	const name = "Idempotency-Key"
	values, there := c.r.Header[name]
	if !there {
		return ""
	}
	key := strings.TrimSpace(strings.Join(values, ", "))
	switch {
	case key == "":
		iss.field(name, msgMinChars(1))
	case len(key) > maxKeyBytes:
		iss.field(name, msgMaxChars(maxKeyBytes))
	}
	return key
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// submit puts the submission on the queue, counted in the tenant's windows; requestLimit 0: the request was counted already.
func (s *Server) submit(c *call, sub submission, requestLimit int64) (queue.Admission, error) {
	ctx, cancel := c.redis()
	defer cancel()
	sub.spec.TraceParent = c.traceParent()
	a, err := s.opts.Queue.Submit(ctx, queue.Submission{
		Spec: sub.spec, Request: sub.request, TraceID: c.trace, Path: c.route, Priority: sub.priority, Webhook: sub.webhook,
		Fingerprint: c.who.Fingerprint, AuthType: c.who.Type, Subject: c.who.Subject,
		MaxConcurrent: c.who.MaxConcurrentJobs, MaxDaily: c.who.MaxDailyJobs, MaxStored: s.maxStored(c), MaxAttempts: s.opts.MaxAttempts,
		Window: s.opts.RateWindow, RequestLimit: requestLimit, SubmitLimit: s.opts.SubmitLimit,
		IdempotencyKey: sub.key, RequestDigest: sub.digest,
	})
	s.metrics.stored(c.who.Tenant, a, err)
	s.metrics.submitted(c.who.Tenant, sub.spec.Language, submitOutcome(a, err))
	return a, err
}

// submitOutcome is the label of what became of a submission.
func submitOutcome(a queue.Admission, err error) string {
	var quota *queue.QuotaError
	var rate *queue.RateError
	switch {
	case err == nil && a.Replayed:
		return "replayed"
	case err == nil:
		return "accepted"
	case errors.As(err, &rate):
		return string(rate.Kind)
	case errors.As(err, &quota):
		return quota.Reason
	case errors.Is(err, queue.ErrFull):
		return "storage_full"
	case errors.Is(err, queue.ErrKeyReused):
		return "key_reused"
	}
	return "unavailable"
}

// notAdmitted answers why a submission was not admitted.
func (s *Server) notAdmitted(c *call, err error) {
	var quota *queue.QuotaError
	var rate *queue.RateError
	switch {
	case errors.As(err, &rate) && rate.Kind == queue.Requests:
		c.tooMany("rate_limited", rate.Rate, s.opts.RateWindow)
	case errors.As(err, &rate):
		c.tooMany("submit_rate_limited", rate.Rate, s.opts.RateWindow)
	case errors.As(err, &quota):
		c.overQuota(quota)
	case errors.Is(err, queue.ErrKeyReused):
		c.refuse(http.StatusUnprocessableEntity, "idempotency_key_reused", "body_differs")
	case errors.Is(err, queue.ErrFull):
		c.unavailable(err)
	default:
		s.audit(c, "job_submission_failed", "", map[string]any{"error": "queue_unreachable"})
		c.unavailable(err)
	}
}
