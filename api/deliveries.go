// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// deliveriesView is the answer of GET /v1/jobs/:jobId/deliveries.
type deliveriesView struct {
	JobID      string         `json:"jobId"`
	TraceID    string         `json:"traceId"`
	URL        string         `json:"url"`
	Deliveries []deliveryView `json:"deliveries"` // the latest ones, the oldest first
}

type deliveryView struct {
	At         *view.Stamp `json:"at"`
	Attempt    int         `json:"attempt"`
	StatusCode *int        `json:"statusCode"` // null: there was no answer
	Error      *string     `json:"error"`
	DurationMs int64       `json:"durationMs"`
	NextAt     *view.Stamp `json:"nextAt"` // null: there is no further attempt
}

// getDeliveries shows the attempts to deliver a job's webhook: GET /v1/jobs/:jobId/deliveries.
func (s *Server) getDeliveries(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	hook, attempts, err := s.opts.Queue.Deliveries(ctx, c.who.Tenant, id)
	switch {
	case errors.Is(err, queue.ErrNotFound), err == nil && hook.URL == "":
		c.refuse(http.StatusNotFound, "not_found", "")
		return
	case err != nil:
		c.unavailable(err)
		return
	}
	answer := deliveriesView{JobID: id, TraceID: c.trace, URL: hook.URL, Deliveries: make([]deliveryView, len(attempts))}
	for i, a := range attempts {
		answer.Deliveries[i] = deliveryView{
			At: view.Time(a.At), Attempt: a.Attempt, StatusCode: view.Number(a.StatusCode), Error: view.Text(a.Error), DurationMs: a.DurationMs,
			NextAt: view.Time(a.NextAt.Truncate(time.Millisecond)),
		}
	}
	c.json(http.StatusOK, answer)
}

// redeliver has a job's webhook delivered again: POST /v1/jobs/:jobId/deliveries.
func (s *Server) redeliver(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	r := s.rateRequest(c)
	r.Limit = s.opts.RedeliverLimit
	var rate *queue.RateError
	switch err := s.opts.Queue.Redeliver(ctx, r, id); {
	case errors.As(err, &rate):
		c.rateLimited("redelivery_rate_limited", rate.Rate, s.opts.RateWindow)
	case errors.Is(err, queue.ErrNotFound), errors.Is(err, queue.ErrNoWebhook):
		c.refuse(http.StatusNotFound, "not_found", "")
	case errors.Is(err, queue.ErrUnfinished):
		c.refuse(http.StatusConflict, "job_unfinished", "")
	case err != nil:
		c.unavailable(err)
	default:
		c.json(http.StatusAccepted, redelivery{JobID: id, TraceID: c.trace, Status: "queued"})
	}
}

// redelivery is the answer of POST /v1/jobs/:jobId/deliveries.
type redelivery struct {
	JobID   string `json:"jobId"`
	TraceID string `json:"traceId"`
	Status  string `json:"status"`
}
