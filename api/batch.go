package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// maxBatch bounds the jobs of a batch.
const maxBatch = 100

// batch is the answer of POST /v1/batch.
type batch struct {
	TraceID  string      `json:"traceId"`
	Accepted int         `json:"accepted"`
	Refused  int         `json:"refused"`
	Items    []batchItem `json:"items"` // in the order of the jobs
}

// batchItem is what became of one job: an id, or why it was refused.
type batchItem struct {
	StatusCode int    `json:"statusCode"` // that a submission of the job alone would have had
	JobID      string `json:"jobId,omitempty"`
	StatusURL  string `json:"statusUrl,omitempty"`
	Error      string `json:"error,omitempty"`
	Reason     string `json:"reason,omitempty"`

	Ignored []string `json:"ignored,omitempty"` // members of the job that mean nothing
}

// createBatch submits several jobs: POST /v1/batch. A batch that is wrong anywhere is refused as a whole; of one that is right
// each job is admitted or not by itself. What quota and limits don't admit can be sent again: with an Idempotency-Key the whole
// batch, as those that were admitted are given back and not run again.
func (s *Server) createBatch(c *call) {
	ctx, cancel := c.redis()
	defer cancel()
	known, err := s.languages.languages(ctx)
	switch {
	case errors.Is(err, errNoRuntimes):
		c.refuse(http.StatusServiceUnavailable, "submission_unavailable", "no_runtimes")
		return
	case err != nil:
		c.unavailable(err)
		return
	}
	iss := newIssues()
	strict, key := c.strict(iss), c.idempotencyKey(iss)
	subs := s.decodeBatch(c.body, c.who.Tenant, known, iss)
	for i := range subs {
		if strict && subs[i].ignored != nil {
			iss.field("jobs", fmt.Sprintf("[%d]: %s", i, msgUnknown(subs[i].ignored)))
		}
		if big := s.tooLarge(subs[i]); big != nil && !iss.any() {
			iss.field("jobs", fmt.Sprintf("[%d].%s: has %d bytes, %d are allowed", i, big.Field, big.Bytes, big.MaxBytes))
		}
	}
	if c.invalid(iss) {
		return
	}
	sum := digest(c.body.json)
	c.dropBody()
	answer := batch{TraceID: c.trace, Items: make([]batchItem, len(subs))}
	for i, sub := range subs {
		if key != "" {
			sub.key, sub.digest = fmt.Sprintf("%s batch %d", key, i), sum
		}
		answer.Items[i] = s.submitItem(c, sub)
		answer.Items[i].Ignored = sub.ignored
		if answer.Items[i].JobID != "" {
			answer.Accepted++
		} else {
			answer.Refused++
		}
	}
	c.json(http.StatusOK, answer)
}

// decodeBatch reads {"jobs":[...]}. Issues name the job they are of: they are fields of "jobs".
func (s *Server) decodeBatch(b body, tenant string, known []job.Language, iss *issues) []submission {
	o := bodyObject(b, iss)
	if o == nil {
		return nil
	}
	o.only("jobs")
	raws := o.list("jobs", maxBatch)
	if len(raws) == 0 && !iss.any() {
		iss.field("jobs", "Array must contain at least 1 element(s)")
	}
	subs := make([]submission, len(raws))
	for i, raw := range raws {
		path := fmt.Sprintf("[%d]", i)
		if k := kind(raw); k != "object" {
			iss.field("jobs", path+": "+msgType("object", k))
			continue
		}
		subs[i] = s.decodeItem(raw, path, tenant, known, iss)
	}
	return subs
}

func (s *Server) decodeItem(raw json.RawMessage, path, tenant string, known []job.Language, iss *issues) submission {
	own := newIssues()
	o := &object{members: members(raw), iss: own}
	sub := o.submission(uuid.NewString(), tenant, known, s.opts.Webhooks)
	for _, m := range own.FormErrors {
		iss.field("jobs", path+": "+m)
	}
	for name, messages := range own.FieldErrors {
		iss.field("jobs", path+"."+name+": "+strings.Join(messages, "; "))
	}
	return sub
}

// submitItem submits one job of a batch, whose request was counted already.
func (s *Server) submitItem(c *call, sub submission) batchItem {
	admitted, err := s.submit(c, sub, 0)
	var quota *queue.QuotaError
	var rate *queue.RateError
	switch {
	case err == nil:
		return batchItem{StatusCode: http.StatusAccepted, JobID: admitted.ID, StatusURL: "/v1/jobs/" + admitted.ID}
	case errors.As(err, &rate):
		return batchItem{StatusCode: http.StatusTooManyRequests, Error: "submit_rate_limited"}
	case errors.As(err, &quota):
		return batchItem{StatusCode: http.StatusTooManyRequests, Error: "quota_exceeded", Reason: quota.Reason}
	case errors.Is(err, queue.ErrFull):
		return batchItem{StatusCode: http.StatusServiceUnavailable, Error: "submission_unavailable", Reason: "storage_full"}
	case errors.Is(err, queue.ErrKeyReused):
		return batchItem{StatusCode: http.StatusUnprocessableEntity, Error: "idempotency_key_reused", Reason: "body_differs"}
	default:
		c.log.Error().Err(err).Str("traceId", c.trace).Msg("submit a job of a batch")
		return batchItem{StatusCode: http.StatusServiceUnavailable, Error: "submission_unavailable", Reason: "queue_unreachable"}
	}
}
