package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"ccee/api/auth"
	"ccee/worker/queue"
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

// admit turns away callers who are not known and counts the request in the tenant's window. It answers and returns false when
// the caller is not known or calls too often. Those who are not known are not counted and learn nothing of rates.
func (s *Server) admit(c *call) bool {
	var refused *auth.Refusal
	switch {
	case errors.As(c.refused, &refused):
		c.refuse(http.StatusUnauthorized, "unauthorized", string(refused.Reason))
		return false
	case c.refused != nil:
		c.log.Error().Err(c.refused).Str("traceId", c.trace).Msg("authenticate")
		c.fault()
		return false
	}
	ctx, cancel := c.redis()
	defer cancel()
	rate, err := s.opts.Queue.Rate(ctx, c.who.Tenant, queue.Requests, s.opts.RateLimit, s.opts.RateWindow)
	if err != nil {
		c.unavailable(err)
		return false
	}
	h := c.w.Header()
	h.Set("X-Ratelimit-Limit", strconv.FormatInt(rate.Limit, 10))
	h.Set("X-Ratelimit-Remaining", strconv.FormatInt(max(0, rate.Limit-rate.Used), 10))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(ceilSeconds(time.Duration(rate.ResetAt.UnixNano())), 10))
	if !rate.Allowed {
		c.tooMany("rate_limited", rate, s.opts.RateWindow)
	}
	return rate.Allowed
}

// tooMany answers that a window is used up.
func (c *call) tooMany(code string, rate queue.Rate, window time.Duration) {
	wait := max(1, ceilSeconds(rate.RetryAfter))
	c.w.Header().Set("Retry-After", strconv.FormatInt(wait, 10))
	c.json(http.StatusTooManyRequests, limited{
		Error: code, TraceID: c.trace, Limit: rate.Limit, Used: rate.Used,
		RetryAfterSeconds: wait, WindowSeconds: int64(window / time.Second),
	})
}

// ceilSeconds rounds up: who comes back then is not a moment too early.
func ceilSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
