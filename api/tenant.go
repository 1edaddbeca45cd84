// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// limited is the body of a 429 for too many requests or submissions.
type limited struct {
	Error             string `json:"error"`
	TraceID           string `json:"traceId"`
	Limit             int64  `json:"limit"`
	Used              int64  `json:"used"`
	RetryAfterSeconds int64  `json:"retryAfterSeconds"`
	WindowSeconds     int64  `json:"windowSeconds"`
}

// countRequest counts the request in the tenant's window. It answers and returns false when there were too many.
func (s *Server) countRequest(c *call) bool {
	ctx, cancel := c.redis()
	defer cancel()
	rate, err := s.opts.Queue.Rate(ctx, s.rateRequest(c))
	c.counted = err == nil
	if err != nil {
		c.unavailable(err)
		return false
	}
	c.rateHeaders(rate)
	if !rate.Allowed {
		c.rateLimited("rate_limited", rate, s.opts.RateWindow)
	}
	return rate.Allowed
}

func (s *Server) rateRequest(c *call) queue.RateRequest {
	return queue.RateRequest{
		Tenant: c.who.Tenant, Limit: s.opts.RateLimit, Window: s.opts.RateWindow, TraceID: c.trace, Method: c.r.Method, Path: c.route,
	}
}

// rateHeaders shows the state of the window of requests in the headers.
func (c *call) rateHeaders(rate queue.Rate) {
	h := c.w.Header()
	h.Set("X-Ratelimit-Limit", strconv.FormatInt(rate.Limit, 10))
	h.Set("X-Ratelimit-Remaining", strconv.FormatInt(max(0, rate.Limit-rate.Used), 10))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(ceilSeconds(time.Duration(rate.ResetAt.UnixNano())), 10))
}

// rateLimited answers that a window is used up.
func (c *call) rateLimited(code string, rate queue.Rate, window time.Duration) {
	wait := max(1, ceilSeconds(rate.RetryAfter))
	c.w.Header().Set("Retry-After", strconv.FormatInt(wait, 10))
	c.json(http.StatusTooManyRequests, limited{
		Error: code, TraceID: c.trace, Limit: rate.Limit, Used: rate.Used,
		RetryAfterSeconds: wait, WindowSeconds: int64(window / time.Second),
	})
}

// ceilSeconds rounds up, so that a client that comes back then is not a moment too early.
func ceilSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
