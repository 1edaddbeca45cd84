package api

import "github.com/ccee-dev/ccee/queue"

// logsView is the answer of GET /executions/:jobId/logs.
type logsView struct {
	ExecutionID string     `json:"executionId"`
	TraceID     string     `json:"traceId"` // of this request, unlike a job's
	Status      string     `json:"status"`
	Logs        outputView `json:"logs"`
	TimedOut    bool       `json:"timedOut"`
	DurationMs  *int64     `json:"durationMs"`
	UpdatedAt   *stamp     `json:"updatedAt"`
}

type outputView struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	tailsView
}

// viewLogs shows what a job printed; empty strings while there is no result.
func viewLogs(rec queue.Record, trace string) logsView {
	v := logsView{
		ExecutionID: rec.ID, TraceID: trace, Status: publicStatus(rec), UpdatedAt: stampOrNull(rec.UpdatedAt),
	}
	if rec.Result != nil {
		r := viewResult(rec.Result, false)
		v.Logs = outputView{r.Stdout, r.Stderr, r.tailsView}
		v.TimedOut, v.DurationMs = r.TimedOut, &r.DurationMs
	}
	return v
}

// getLogs shows what a job printed: GET /executions/:jobId/logs.
func (s *Server) getLogs(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	rec, err := s.await(c, id, 0)
	c.showJob(rec, err, func(rec queue.Record) any { return viewLogs(rec, c.trace) })
}
