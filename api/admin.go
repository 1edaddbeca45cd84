package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// adminMetrics is the answer of GET /v1/admin/metrics.
type adminMetrics struct {
	Status      string      `json:"status"`
	TraceID     string      `json:"traceId"`
	Queue       queueView   `json:"queue"`
	DLQ         dlqView     `json:"dlq"`
	Autoscaling autoscaling `json:"autoscaling"`
	ECS         any         `json:"ecs"` // null: the api does not run on ECS
	UpdatedAt   *stamp      `json:"updatedAt"`
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
		Autoscaling: autoscaling{s.opts.QueueDepthTarget}, UpdatedAt: stampOrNull(time.Now()),
	})
}

// replayDead would start the replay of dead-lettered jobs as a task on ECS: POST /v1/admin/runbook/dlq. Elsewhere ccee dlq replay
// does it.
func (s *Server) replayDead(c *call) {
	c.refuse(http.StatusServiceUnavailable, "dlq_replay_not_configured", "")
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
	iss := newIssues()
	count := s.opts.BurstMax
	if o := bodyObject(c.body, iss); o != nil {
		if raw, there := o.members["count"]; there {
			count = o.coerced("count", raw, intRange{1, s.opts.BurstMax})
		}
	}
	if c.invalid(iss) {
		return
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), burstTime)
	defer cancel()
	known, err := s.languages.languages(ctx)
	if err != nil || !slices.ContainsFunc(known, func(l job.Language) bool { return l.Name == "python" }) {
		c.refuse(http.StatusServiceUnavailable, "submission_unavailable", "no_runtimes")
		return
	}
	id := uuid.NewString()
	for n := range count {
		if _, err := s.opts.Queue.Submit(ctx, s.burstJob(c, n+1)); err != nil {
			c.unavailable(fmt.Errorf("after %d of %d jobs of burst %s: %w", n, count, id, err))
			return
		}
	}
	s.audit(c, "admin_burst_submitted", "", map[string]any{"burstId": id, "count": count})
	c.json(http.StatusOK, burst{Status: "queued", TraceID: c.trace, BurstID: id, Count: count})
}

func (s *Server) burstJob(c *call, n int64) queue.Submission {
	spec := job.Spec{ID: uuid.NewString(), Tenant: c.who.Tenant, Language: "python", Source: fmt.Sprintf("print(%d)", n)}
	spec.Run = job.Limits{WallMs: 3000, MemoryBytes: 128 * job.MiB, CPUMillicores: 256}
	return queue.Submission{
		Spec: spec, Request: queue.Request{TimeoutMs: 3000, MemoryMb: 128, CPUMillicores: 256}, TraceID: c.trace, Path: c.route,
		Fingerprint: auth.Fingerprint("admin:" + strings.TrimSpace(c.r.Header.Get("X-Api-Key"))), Unaudited: true,
		MaxConcurrent: 1 << 40, MaxDaily: 1 << 40, MaxStored: 1 << 40, MaxAttempts: s.opts.MaxAttempts,
	}
}

// coerced reads a number as JavaScript's Number does, from a value of any kind.
func (o *object) coerced(name string, raw json.RawMessage, r intRange) int64 {
	v := math.NaN()
	switch kind(raw) {
	case "number":
		v = jsNumber(strings.TrimSpace(string(raw)))
	case "string":
		v = jsNumber(text(raw))
	case "null":
		v = 0
	case "boolean":
		if v = 0; raw[0] == 't' {
			v = 1
		}
	}
	for _, message := range r.check(v) {
		o.wrong(name, message)
	}
	return int64(v)
}
