package api

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// tooLarge is the body of a 413 for a text that has too many bytes, though not too many characters.
type tooLarge struct {
	Error    string `json:"error"`
	TraceID  string `json:"traceId"`
	Reason   string `json:"reason"`
	Field    string `json:"field"`
	Bytes    int    `json:"bytes"`
	MaxBytes int    `json:"maxBytes"`
}

// tooLarge holds source and input to the server's byte limits, the source first; nil if they fit.
func (s *Server) tooLarge(sub submission) *tooLarge {
	for _, part := range []struct {
		field    string
		len, max int
	}{
		{"sourceCode", len(sub.spec.Source), s.opts.MaxSourceBytes},
		{"stdin", len(sub.spec.Stdin), s.opts.MaxStdinBytes},
	} {
		if part.len > part.max {
			return &tooLarge{
				Error: "payload_too_large", Reason: "request_size_exceeded", Field: part.field, Bytes: part.len, MaxBytes: part.max,
			}
		}
	}
	return nil
}

// refuseSize answers that a text is too large.
func (s *Server) refuseSize(c *call, big *tooLarge) {
	s.audit(c, "submission_rejected_size", "", map[string]any{"field": big.Field, "bytes": big.Bytes, "maxBytes": big.MaxBytes})
	big.TraceID = c.trace
	c.json(http.StatusRequestEntityTooLarge, big)
}

// overQuotaBody is the body of a 429 for a quota that is used up.
type overQuotaBody struct {
	Error   string      `json:"error"`
	TraceID string      `json:"traceId"`
	Reason  string      `json:"reason"`
	Message string      `json:"message,omitempty"` // what to do, where that needs words
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

// maxStored is how many bytes the tenant's jobs may take.
func (s *Server) maxStored(c *call) int64 { return cmp.Or(c.who.MaxStoredBytes, s.opts.MaxStoredBytes) }

// retryAfterBusy is when a tenant with all of its concurrent jobs may try again, in seconds: what a job takes by default. A place is
// free when one of them ends.
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
