// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// accepted is the answer to a submission.
type accepted struct {
	JobID        string `json:"jobId"`
	ExecutionID  string `json:"executionId"`
	TraceID      string `json:"traceId"`
	Status       string `json:"status"`
	StatusURL    string `json:"statusUrl"`
	ExecutionURL string `json:"executionUrl"`

	Ignored []string `json:"ignored,omitempty"` // members of the body that have no meaning
}

// createJob takes a submission: POST /v1/jobs. With ?waitMs=N it answers with the finished job, if it finishes in time. With an
// Idempotency-Key a repetition gives the same job.
func (s *Server) createJob(c *call) {
	known, ok := s.submittable(c, s.countRequest)
	if !ok {
		return
	}
	iss := decode.NewIssues()
	query := c.query(iss)
	q := readJobQuery(query)
	terms := decode.Terms{Languages: known, Webhooks: s.opts.Webhooks, Strict: query.Flag("strict")}
	key := decode.IdempotencyKey(c.r.Header["Idempotency-Key"], iss)
	var sub decode.Submission
	if !iss.Any() {
		sub = terms.Job(c.body, iss)
	}
	if iss.Any() {
		if s.countRequest(c) { // one request too many is refused as that, even if it is wrong
			c.invalid(iss)
		}
		return
	}
	sub.Key, sub.Digest = key, submit.Digest(c.body.JSON)
	admitted, err := s.submit.Submit(c.r.Context(), c.principal(), c.origin(), sub.Submission)
	if admitted.Requests.Limit > 0 {
		c.rateHeaders(admitted.Requests)
	}
	if err != nil {
		s.refuseSubmission(c, err)
		return
	}
	c.releaseBody()
	s.answerAdmitted(c, admitted, q, sub.Ignored)
}

// submittable returns the languages that can be submitted. When there are none it answers, if counted admits the request, and returns
// false.
func (s *Server) submittable(c *call, counted func(*call) bool) ([]job.Language, bool) {
	ctx, cancel := c.redis()
	defer cancel()
	known, err := s.submit.Languages(ctx)
	if err == nil {
		return known, true
	}
	if !counted(c) {
		return nil, false
	}
	if errors.Is(err, submit.ErrNoRuntimes) {
		c.refuse(http.StatusServiceUnavailable, "submission_unavailable", "no_runtimes")
	} else {
		c.unavailable(err)
	}
	return nil, false
}

// answerAdmitted answers with an admitted job: finished, if the query waits for that and it is in time, else as accepted.
func (s *Server) answerAdmitted(c *call, admitted queue.Admission, q jobQuery, ignored []string) {
	answer := c.accepted(admitted.ID)
	answer.Ignored = ignored
	if admitted.Replayed {
		c.w.Header().Set("Idempotent-Replayed", "true")
	}
	if q.wait > 0 || admitted.Replayed {
		// The job is accepted whether the wait succeeds or not.
		if rec, err := s.await(c, admitted.ID, q.wait); err == nil {
			// Another caller of the tenant may have submitted it: a credential without the scope read does not see its result.
			if q.wait > 0 && rec.Status.Final() && (!admitted.Replayed || c.mayRead()) {
				shown := view.NewSingle(rec, q.coded)
				shown.Ignored = ignored
				c.json(http.StatusOK, shown)
				return
			}
			answer.Status = view.Status(rec)
		}
	}
	c.json(http.StatusAccepted, answer)
}

// accepted is the answer for a job that was put on the queue this moment.
func (c *call) accepted(id string) accepted {
	return accepted{
		JobID: id, ExecutionID: id, TraceID: c.trace, Status: string(queue.Queued),
		StatusURL: "/v1/jobs/" + id, ExecutionURL: "/executions/" + id,
	}
}

// principal is the caller as submit knows it.
func (c *call) principal() submit.Principal {
	return submit.Principal{
		Tenant: c.who.Tenant, Subject: c.who.Subject, Type: c.who.Type, Fingerprint: c.who.Fingerprint,
		MaxConcurrentJobs: c.who.MaxConcurrentJobs, MaxDailyJobs: c.who.MaxDailyJobs, MaxStoredBytes: c.who.MaxStoredBytes,
	}
}

// operator is the caller of a route of operators, whose load tests no quota bounds.
func (c *call) operator() submit.Principal {
	key := strings.TrimSpace(c.r.Header.Get("X-Api-Key"))
	return submit.Principal{Tenant: c.who.Tenant, Fingerprint: auth.Fingerprint("admin:" + key), Unlimited: true}
}

// origin is the request as submit knows it.
func (c *call) origin() submit.Origin {
	return submit.Origin{TraceID: c.trace, TraceParent: c.traceParent(), Method: c.r.Method, Path: c.route, Counted: c.counted}
}
