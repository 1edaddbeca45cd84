// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// audit records a decision of the api; the queue records what happens to jobs in the same step. A failure is logged and changes no
// answer: Redis is unreachable, and so is the audit.
func (s *Server) audit(c *call, action, jobID string, metadata map[string]any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), redisTimeout)
	defer cancel()
	metadata["traceId"] = c.trace
	if err := s.opts.Queue.Audit(ctx, c.who.Tenant, action, jobID, metadata); err != nil {
		c.log.Error().Err(err).Str("traceId", c.trace).Str("action", action).Msg("audit")
	}
}

// auditFeed is the answer of GET /v1/audit.
type auditFeed struct {
	TenantID   string      `json:"tenantId"`
	TraceID    string      `json:"traceId"`
	Events     []eventView `json:"events"`
	NextCursor *string     `json:"nextCursor"` // of the events before these; null at the end

	ArchiveUnavailable bool `json:"archiveUnavailable,omitempty"` // events that only the archive has are missing
}

type eventView struct {
	StreamID  string          `json:"streamId"`
	Timestamp *view.Stamp     `json:"timestamp"`
	Actor     string          `json:"actor"`
	Action    string          `json:"action"`
	TenantID  string          `json:"tenantId"`
	JobID     *string         `json:"jobId"`
	Metadata  json.RawMessage `json:"metadata"`
}

// The range of ?limit= of GET /v1/audit.
const (
	auditDefault = 20
	auditMax     = 100
)

// streamID is the form of a cursor of the audit: an id of the stream.
var streamID = regexp.MustCompile(`^[0-9]{1,19}-[0-9]{1,19}$`)

// getAudit shows the audit of a tenant's jobs and requests, the newest first: GET /v1/audit.
func (s *Server) getAudit(c *call) {
	iss := decode.NewIssues()
	values := c.query(iss)
	limit := int(values.Int("limit", auditDefault, decode.Range{Min: 1, Max: auditMax}))
	cursor := values.Text("cursor")
	if values.Has("cursor") && !streamID.MatchString(cursor) {
		values.WrongCursor()
	}
	values.Check()
	if c.invalid(iss) {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	// One more than asked for: it shows whether there are more.
	events, err := s.opts.Queue.Events(ctx, c.who.Tenant, cursor, limit+1)
	if err != nil {
		c.unavailable(err)
		return
	}
	events, partial := s.olderEvents(c, events, cursor, limit+1)
	answer := auditFeed{TenantID: c.who.Tenant, TraceID: c.trace, Events: make([]eventView, 0, limit), ArchiveUnavailable: partial}
	for i, e := range events {
		if i == limit {
			answer.NextCursor = &answer.Events[i-1].StreamID
			break
		}
		answer.Events = append(answer.Events, viewEvent(e))
	}
	c.json(http.StatusOK, answer)
}

func viewEvent(e queue.Event) eventView {
	return eventView{StreamID: e.StreamID, Timestamp: view.Time(e.Timestamp), Actor: e.Actor, Action: e.Action, TenantID: e.Tenant,
		JobID: view.Text(e.JobID), Metadata: e.Metadata}
}
