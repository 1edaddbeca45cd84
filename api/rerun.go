// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/ccee-dev/ccee/queue"
)

// rerunJob submits a job once more: POST /v1/jobs/:jobId/rerun. It is a submission like any other.
func (s *Server) rerunJob(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	again, err := s.submit.Rerun(c.r.Context(), c.principal(), c.origin(), stored{s, c}, id)
	if err != nil {
		s.refuseSubmission(c, err)
		return
	}
	c.json(http.StatusAccepted, c.accepted(again.ID))
}

// stored finds the submissions of jobs in Redis and in the archive.
type stored struct {
	s *Server
	c *call
}

// Submitted implements submit.Stored.
func (f stored) Submitted(ctx context.Context, tenant, id string) (queue.Submission, error) {
	bounded, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	before, err := f.s.opts.Queue.Submitted(bounded, tenant, id)
	return orArchived(f.s, before, err, func(a Archive) (queue.Submission, error) { return loadArchived(f.c, a, id, a.Submitted) })
}

// deleteData deletes the stored data of a finished job: DELETE /v1/jobs/:jobId/data.
func (s *Server) deleteData(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	err := s.opts.Queue.Purge(ctx, c.who.Tenant, id)
	if a := s.opts.Archive; a != nil && (err == nil || errors.Is(err, queue.ErrNotFound)) {
		err = deleteArchived(c, a, id, err)
	}
	switch {
	case errors.Is(err, queue.ErrNotFound):
		c.refuse(http.StatusNotFound, "not_found", "")
	case errors.Is(err, queue.ErrUnfinished):
		c.refuse(http.StatusConflict, "job_unfinished", "cancel_it_first")
	case err != nil:
		c.unavailable(err)
	default:
		c.json(http.StatusOK, deleted{JobID: id, TraceID: c.trace, Deleted: true})
	}
}

// deleteArchived deletes a job from the archive, too. If Redis had it (purged is nil), the copier will delete it there in any case.
func deleteArchived(c *call, a Archive, id string, purged error) error {
	switch there, err := a.Delete(c.r.Context(), c.who.Tenant, id); {
	case there || purged == nil:
		return nil
	case err != nil:
		return &archiveFault{err}
	}
	return purged
}

// deleted is the answer of DELETE /v1/jobs/:jobId/data.
type deleted struct {
	JobID   string `json:"jobId"`
	TraceID string `json:"traceId"`
	Deleted bool   `json:"deleted"`
}
