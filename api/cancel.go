package api

import (
	"errors"
	"net/http"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// finished is the body of a 409 for a job that is over.
type finished struct {
	Error   string `json:"error"`
	TraceID string `json:"traceId"`
	Status  string `json:"status"`
}

// jobStatus is what a caller is shown of a job that may not read.
type jobStatus struct {
	JobID       string `json:"jobId"`
	ExecutionID string `json:"executionId"`
	TraceID     string `json:"traceId"`
	Status      string `json:"status"`
}

// cancelJob takes a job back: DELETE /v1/jobs/:jobId, which the original contract does not have. One that waits never runs;
// of one that runs the worker is told, and ?waitMs=N waits for its end. Taking it back twice is no error.
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
