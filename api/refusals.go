// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// refusals are the answers for each refusal of a submission; some have more in their bodies and headers, see refuseSubmission.
var refusals = map[submit.Code]struct {
	status       int
	code, reason string
}{
	submit.RateLimited:       {http.StatusTooManyRequests, "rate_limited", ""},
	submit.SubmitRateLimited: {http.StatusTooManyRequests, "submit_rate_limited", ""},
	submit.QuotaExceeded:     {http.StatusTooManyRequests, "quota_exceeded", ""},
	submit.TooLarge:          {http.StatusRequestEntityTooLarge, "payload_too_large", "request_size_exceeded"},
	submit.KeyReused:         {http.StatusUnprocessableEntity, "idempotency_key_reused", "body_differs"},
	submit.NotFound:          {http.StatusNotFound, "not_found", ""},
	submit.NoRuntimes:        {http.StatusServiceUnavailable, "submission_unavailable", "no_runtimes"},
	submit.StorageFull:       {http.StatusServiceUnavailable, "submission_unavailable", "storage_full"},
	submit.Unavailable:       {http.StatusServiceUnavailable, "submission_unavailable", "queue_unreachable"},
}

// refuseSubmission answers why a submission was not admitted.
func (s *Server) refuseSubmission(c *call, err error) {
	refused := new(submit.Refusal)
	if !errors.As(err, &refused) {
		c.unavailable(err)
		return
	}
	r := refusals[refused.Code]
	switch refused.Code {
	case submit.RateLimited, submit.SubmitRateLimited:
		c.rateLimited(r.code, refused.Rate, s.opts.RateWindow)
	case submit.QuotaExceeded:
		c.overQuota(refused.Quota)
	case submit.TooLarge:
		c.json(r.status, tooLarge{
			Error: r.code, TraceID: c.trace, Reason: r.reason, Field: refused.Size.Field, Bytes: refused.Size.Bytes, MaxBytes: refused.Size.MaxBytes,
		})
	case submit.StorageFull, submit.Unavailable:
		c.unavailable(refused.Err)
	default:
		c.refuse(r.status, r.code, r.reason)
	}
}

// tooLarge is the body of a 413 for a text that has too many bytes, though not too many characters.
type tooLarge struct {
	Error    string `json:"error"`
	TraceID  string `json:"traceId"`
	Reason   string `json:"reason"`
	Field    string `json:"field"`
	Bytes    int    `json:"bytes"`
	MaxBytes int    `json:"maxBytes"`
}

// overQuotaBody is the body of a 429 for a quota that is used up.
type overQuotaBody struct {
	Error   string      `json:"error"`
	TraceID string      `json:"traceId"`
	Reason  string      `json:"reason"`
	Message string      `json:"message,omitempty"` // the remedy, where it needs words
	Limits  quotaLimits `json:"limits"`
	Usage   quotaUsage  `json:"usage"`
}

// The bytes stand in /v1/quotas, and in a refusal where they are its reason.
type quotaLimits struct {
	MaxConcurrentJobs int64  `json:"maxConcurrentJobs"`
	MaxDailyJobs      int64  `json:"maxDailyJobs"`
	MaxStoredBytes    *int64 `json:"maxStoredBytes,omitempty"`
}

type quotaUsage struct {
	ActiveJobs  int64  `json:"activeJobs"`
	DailyJobs   int64  `json:"dailyJobs"`
	StoredBytes *int64 `json:"storedBytes,omitempty"`
}

// retryAfterBusy is when a tenant with all of its concurrent jobs may try again, in seconds: the default time of a job. A place is free
// when one of them ends.
const retryAfterBusy = 3

// untilTomorrow is how many seconds there are to the next UTC day, in which the jobs of a day count anew.
func untilTomorrow(now time.Time) int64 {
	return max(1, ceilSeconds(now.UTC().Truncate(24*time.Hour).Add(24*time.Hour).Sub(now)))
}

// overQuota answers that the tenant has as many jobs as it may have.
func (c *call) overQuota(q *queue.QuotaError) {
	wait := int64(retryAfterBusy)
	body := overQuotaBody{
		Error: "quota_exceeded", TraceID: c.trace, Reason: q.Reason,
		Limits: quotaLimits{MaxConcurrentJobs: q.MaxConcurrent, MaxDailyJobs: q.MaxDaily},
		Usage:  quotaUsage{ActiveJobs: q.Active, DailyJobs: q.Daily},
	}
	switch q.Reason {
	case queue.MaxDailyJobs:
		wait = untilTomorrow(time.Now())
	case queue.MaxStoredBytes:
		wait = max(1, ceilSeconds(q.StoredLess))
		body.Limits.MaxStoredBytes, body.Usage.StoredBytes = &q.MaxStored, &q.Stored
		body.Message = fmt.Sprintf("what is stored of your jobs takes %d of %d bytes: delete jobs that you don't need any more "+
			"(DELETE /v1/jobs/{jobId}/data), or wait: some is deleted by itself in %d s", q.Stored, q.MaxStored, wait)
	}
	c.w.Header().Set("Retry-After", strconv.FormatInt(wait, 10))
	c.json(http.StatusTooManyRequests, body)
}
