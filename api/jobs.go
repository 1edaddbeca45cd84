// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// maxWaitMs bounds how long a request may wait for a job to finish.
const maxWaitMs = int64(submit.MaxWait / time.Millisecond)

// recheckAfter is how long a request must have waited to be authenticated again before it shows anything.
const recheckAfter = time.Second

// jobQuery is the query of a route that shows one job.
type jobQuery struct {
	wait  time.Duration // for the job to finish; 0: don't
	coded bool          // output as base64, too
}

// readJobQuery reads the query of a route that shows one job. Parameters that other routes have too are read after it.
func readJobQuery(values *decode.Query) jobQuery {
	q := jobQuery{
		wait:  time.Duration(values.Int("waitMs", 0, decode.Range{Max: maxWaitMs})) * time.Millisecond,
		coded: values.Enum("encoding", "base64") != "",
	}
	if values.Has("wait") {
		q.wait = time.Duration(values.Int("wait", 0, decode.Range{Max: maxWaitMs / 1000})) * time.Second
		if values.Has("waitMs") {
			values.Wrong("wait", "Give wait or waitMs, not both")
		}
	}
	values.Check()
	return q
}

// query reads the request's query; iss gets its faults.
func (c *call) query(iss *decode.Issues) *decode.Query {
	return decode.ParseQuery(c.r.URL.RawQuery, iss)
}

// await returns the job when it is finished, or as it is when the time is over or the server drains.
func (s *Server) await(c *call, id string, wait time.Duration) (queue.Record, error) {
	if wait > 0 {
		// The time to read the request is over, and the wait may be longer than that.
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	}
	began := time.Now()
	rec, err := s.submit.Wait(c.r.Context(), c.who.Tenant, id, wait)
	if time.Since(began) >= recheckAfter {
		if refused := s.recheck(c); refused != nil {
			return queue.Record{}, refused
		}
	}
	return s.loadOrArchived(c, id, rec, err)
}

// loadOrArchived completes a job that was looked at with its output, or reads it from the archive if Redis does not have it.
func (s *Server) loadOrArchived(c *call, id string, rec queue.Record, err error) (queue.Record, error) {
	rec, err = s.loadOutput(c, rec, err)
	return s.orArchivedJob(c, id, rec, err)
}

// ids are the ids that a job can have. There is no colon, which separates an id from the rest of a key in Redis.
var ids = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// jobID returns the id in the path. It answers and returns false when that is blank, or can't be one.
func (c *call) jobID() (string, bool) {
	id := c.params.ByName("jobId")
	if strings.TrimSpace(id) == "" {
		c.refuse(http.StatusBadRequest, "validation_error", "missing_job_id")
		return "", false
	}
	if !ids.MatchString(id) {
		c.refuse(http.StatusNotFound, "not_found", "")
		return "", false
	}
	return id, true
}

// showJob answers with a job, or with the reason why there is none. Another tenant's job is as unknown as one that never was.
func (c *call) showJob(rec queue.Record, err error, show func(queue.Record) any) {
	switch {
	case errors.Is(err, queue.ErrNotFound):
		c.refuse(http.StatusNotFound, "not_found", "")
	case err != nil:
		c.unavailable(err)
	default:
		c.json(http.StatusOK, show(rec))
	}
}

// single shows a job alone, and what it waits for if no worker can run it now.
func (s *Server) single(rec queue.Record, coded bool) view.Job {
	v := view.NewSingle(rec, coded)
	if rec.Status != queue.Queued && rec.Status != queue.Retrying {
		return v
	}
	fleet, _, err := s.ready.get(s)
	switch {
	case err != nil: // nobody knows
	case fleet.Ready == 0:
		v.WaitingFor = view.ForWorker
	case !submit.Offers(fleet.Now, rec.Language):
		v.WaitingFor = view.ForLanguage
	}
	return v
}

// getJob shows one job: GET /v1/jobs/:jobId. With ?waitMs=N it answers when the job is finished or the time is over. Without, it is
// the most frequent request, and one round trip counts it and reads the job.
func (s *Server) getJob(c *call) {
	iss := decode.NewIssues()
	q := readJobQuery(c.query(iss))
	id := c.params.ByName("jobId")
	if iss.Any() || q.wait > 0 || !ids.MatchString(id) {
		s.getJobLater(c, q, iss)
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	rate, rec, err := s.opts.Queue.RateAndLook(ctx, s.rateRequest(c), id)
	if rate.Limit > 0 {
		c.rateHeaders(rate)
		if !rate.Allowed {
			c.rateLimited("rate_limited", rate, s.opts.RateWindow)
			return
		}
	}
	rec, err = s.loadOrArchived(c, id, rec, err)
	c.showJob(rec, err, func(rec queue.Record) any { return s.single(rec, q.coded) })
}

// getJobLater is getJob for a request that is wrong, or waits.
func (s *Server) getJobLater(c *call, q jobQuery, iss *decode.Issues) {
	if !s.countRequest(c) {
		return
	}
	id, ok := c.jobID()
	if !ok || c.invalid(iss) {
		return
	}
	rec, err := s.await(c, id, q.wait)
	c.showJob(rec, err, func(rec queue.Record) any { return s.single(rec, q.coded) })
}
