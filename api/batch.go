// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/submit"
)

// batch is the answer of POST /v1/batch.
type batch struct {
	TraceID  string      `json:"traceId"`
	Accepted int         `json:"accepted"`
	Refused  int         `json:"refused"`
	Items    []batchItem `json:"items"` // in the order of the jobs
}

// batchItem is the outcome for one job: an id, or why it was refused.
type batchItem struct {
	StatusCode int    `json:"statusCode"` // that a submission of the job alone would have had
	JobID      string `json:"jobId,omitempty"`
	StatusURL  string `json:"statusUrl,omitempty"`
	Error      string `json:"error,omitempty"`
	Reason     string `json:"reason,omitempty"`

	Ignored []string `json:"ignored,omitempty"` // members of the job that have no meaning
}

// createBatch submits several jobs: POST /v1/batch. A batch that is wrong anywhere is refused as a whole; of one that is right
// each job is admitted or not by itself. Jobs that quota and limits don't admit can be sent again: with an Idempotency-Key the whole
// batch, as those that were admitted are given back and not run again.
func (s *Server) createBatch(c *call) {
	known, ok := s.submittable(c, admitted)
	if !ok {
		return
	}
	iss := decode.NewIssues()
	terms := decode.Terms{Languages: known, Webhooks: s.opts.Webhooks, Strict: c.query(iss).Flag("strict")}
	key := decode.IdempotencyKey(c.r.Header["Idempotency-Key"], iss)
	jobs := terms.Batch(c.body, iss)
	if c.invalid(iss) {
		return
	}
	subs := make([]submit.Submission, len(jobs))
	for i, j := range jobs {
		subs[i] = j.Submission
	}
	digest := submit.Digest(c.body.JSON)
	c.releaseBody()
	outcomes, err := s.submit.Batch(c.r.Context(), c.principal(), c.origin(), subs, key, digest)
	if err != nil {
		s.refuseBatch(c, err)
		return
	}
	answer := batch{TraceID: c.trace, Items: make([]batchItem, len(outcomes))}
	for i, o := range outcomes {
		answer.Items[i] = c.batchItem(o)
		answer.Items[i].Ignored = jobs[i].Ignored
		if o.Err == nil {
			answer.Accepted++
		} else {
			answer.Refused++
		}
	}
	c.json(http.StatusOK, answer)
}

// admitted is for a request that was counted already.
func admitted(*call) bool { return true }

// refuseBatch answers why a batch was refused as a whole: a text of a job that is too large is a fault of the request like others.
func (s *Server) refuseBatch(c *call, err error) {
	refused := new(submit.Refusal)
	if !errors.As(err, &refused) || refused.Size == nil {
		s.refuseSubmission(c, err)
		return
	}
	iss, big := decode.NewIssues(), refused.Size
	iss.Field("jobs", fmt.Sprintf("[%d].%s: has %d bytes, %d are allowed", big.Index, big.Field, big.Bytes, big.MaxBytes))
	c.invalid(iss)
}

// batchItem shows the outcome for one job of a batch.
func (c *call) batchItem(o submit.Outcome) batchItem {
	if o.Err == nil {
		return batchItem{StatusCode: http.StatusAccepted, JobID: o.Admission.ID, StatusURL: "/v1/jobs/" + o.Admission.ID}
	}
	r := refusals[submit.CodeOf(o.Err)]
	item := batchItem{StatusCode: r.status, Error: r.code, Reason: r.reason}
	refused := new(submit.Refusal)
	switch errors.As(o.Err, &refused); refused.Code {
	case submit.QuotaExceeded:
		item.Reason = refused.Quota.Reason
	case submit.Unavailable:
		c.log.Error().Err(o.Err).Str("traceId", c.trace).Msg("submit a job of a batch")
	}
	return item
}
