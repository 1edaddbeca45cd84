// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// finished is the body of a 409 for a finished job.
type finished struct {
	Error   string `json:"error"`
	TraceID string `json:"traceId"`
	Status  string `json:"status"`
}

// jobStatus is the answer for a caller who may not read jobs.
type jobStatus struct {
	JobID       string `json:"jobId"`
	ExecutionID string `json:"executionId"`
	TraceID     string `json:"traceId"`
	Status      string `json:"status"`
}

// cancelJob cancels a job: DELETE /v1/jobs/:jobId, which the original contract does not have. A queued one never runs; the worker of a
// running one is notified, and ?waitMs=N waits for its end. Cancelling twice is no error.
func (s *Server) cancelJob(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	iss := decode.NewIssues()
	q := readJobQuery(c.query(iss))
	if c.invalid(iss) {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	state, err := s.opts.Queue.Cancel(ctx, c.who.Tenant, id)
	var rec queue.Record
	if err == nil {
		rec, err = s.await(c, id, q.wait)
	} else if rec, err = s.orArchivedJob(c, id, rec, err); err == nil {
		state = rec.Status
	}
	switch {
	case errors.Is(err, queue.ErrNotFound):
		c.refuse(http.StatusNotFound, "not_found", "")
	case err != nil:
		c.unavailable(err)
	case state.Final() && state != queue.Cancelled:
		c.json(http.StatusConflict, finished{Error: "job_finished", TraceID: c.trace, Status: view.Status(rec)})
	case !c.mayRead():
		c.json(http.StatusOK, jobStatus{JobID: id, ExecutionID: id, TraceID: c.trace, Status: view.Status(rec)})
	default:
		c.json(http.StatusOK, view.NewSingle(rec, q.coded))
	}
}
