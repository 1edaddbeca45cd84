// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// adminMetrics is the answer of GET /v1/admin/metrics.
type adminMetrics struct {
	Status      string      `json:"status"`
	TraceID     string      `json:"traceId"`
	Queue       queueView   `json:"queue"`
	DLQ         dlqView     `json:"dlq"`
	Autoscaling autoscaling `json:"autoscaling"`
	ECS         any         `json:"ecs"` // null: nothing is asked of ECS
	UpdatedAt   *view.Stamp `json:"updatedAt"`
}

type dlqView struct {
	Pending int64     `json:"pending"`
	Counts  dlqCounts `json:"counts"`
}

// dlqCounts has the names of the queue library under the original. A dead job of ours waits to be replayed and is in no other state.
type dlqCounts struct {
	Waiting   int64 `json:"waiting"`
	Active    int64 `json:"active"`
	Delayed   int64 `json:"delayed"`
	Paused    int64 `json:"paused"`
	Failed    int64 `json:"failed"`
	Completed int64 `json:"completed"`
}

// getAdminMetrics shows queue and dead-letter list to operators: GET /v1/admin/metrics.
func (s *Server) getAdminMetrics(c *call) {
	ctx, cancel := c.redis()
	defer cancel()
	counts, err := s.opts.Queue.Counts(ctx)
	if err != nil {
		c.unavailable(err)
		return
	}
	c.json(http.StatusOK, adminMetrics{
		Status: "ok", TraceID: c.trace, Queue: viewCounts(counts), DLQ: dlqView{counts.Dead, dlqCounts{Waiting: counts.Dead}},
		Autoscaling: autoscaling{s.opts.QueueDepthTarget}, UpdatedAt: view.Time(time.Now()),
	})
}

// burst is the answer of POST /v1/admin/simulate/burst.
type burst struct {
	Status  string `json:"status"`
	TraceID string `json:"traceId"`
	BurstID string `json:"burstId"`
	Count   int64  `json:"count"`
}

// burstTime bounds how long a burst is written.
const burstTime = 20 * time.Second

// simulateBurst submits many small jobs of the operator's tenant, whatever its limits are: POST /v1/admin/simulate/burst.
func (s *Server) simulateBurst(c *call) {
	iss := decode.NewIssues()
	count := decode.Count(c.body, s.opts.BurstMax, decode.Range{Min: 1, Max: s.opts.BurstMax}, iss)
	if c.invalid(iss) {
		return
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), burstTime)
	defer cancel()
	known, err := s.submit.Languages(ctx)
	if err != nil || !submit.Offers(known, "python") {
		c.refuse(http.StatusServiceUnavailable, "submission_unavailable", "no_runtimes")
		return
	}
	id := uuid.NewString()
	for n := range count {
		if _, err := s.submit.Submit(ctx, c.operator(), c.origin(), burstJob(n+1)); err != nil {
			c.unavailable(fmt.Errorf("after %d of %d jobs of burst %s: %w", n, count, id, err))
			return
		}
	}
	s.audit(c, "admin_burst_submitted", "", map[string]any{"burstId": id, "count": count})
	c.json(http.StatusOK, burst{Status: "queued", TraceID: c.trace, BurstID: id, Count: count})
}

// burstJob is a small job of a burst.
func burstJob(n int64) submit.Submission {
	spec := job.Spec{Language: "python", Source: fmt.Sprintf("print(%d)", n)}
	spec.Run = job.Limits{WallMs: 3000, MemoryBytes: 128 * job.MiB, CPUMillicores: 256}
	return submit.Submission{Spec: spec, Request: queue.Request{TimeoutMs: 3000, MemoryMb: 128, CPUMillicores: 256}}
}
