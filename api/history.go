// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// history is the answer of GET /v1/jobs.
type history struct {
	TenantID   string            `json:"tenantId"`
	TraceID    string            `json:"traceId"`
	Items      []json.RawMessage `json:"items"`      // jobView or summaryView
	NextCursor *string           `json:"nextCursor"` // of the jobs after these; null at the end

	ArchiveUnavailable bool `json:"archiveUnavailable,omitempty"` // jobs that only the archive has are missing
}

// publicStates are the words for a job's state that a filter takes.
var publicStates = []string{string(queue.Queued), string(queue.Running), string(queue.Retrying), string(queue.Dispatched),
	string(queue.Succeeded), string(queue.Failed), string(queue.TimedOut), string(queue.Cancelled)}

// listJobs shows a tenant's jobs, the newest first: GET /v1/jobs.
func (s *Server) listJobs(c *call) {
	iss := decode.NewIssues()
	values := c.query(iss)
	h := queue.HistoryQuery{
		Limit:    int(values.Int("limit", int64(s.opts.ListDefault), decode.Range{Min: 1, Max: int64(s.opts.ListMax)})),
		Cursor:   values.Text("cursor"),
		From:     values.Time("from"),
		To:       values.Time("to"),
		Status:   queue.State(values.Enum("status", publicStates...)),
		Language: values.Text("language"),
	}
	short := values.Enum("view", "full", "summary") == "summary"
	coded := values.Enum("encoding", "base64") != ""
	values.Check()
	if c.invalid(iss) {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	page, err := s.opts.Queue.History(ctx, c.who.Tenant, h)
	switch {
	case errors.Is(err, queue.ErrCursor):
		values.WrongCursor()
		c.invalid(iss)
	case err != nil:
		c.unavailable(err)
	default:
		page, partial := s.withArchived(c, h, page)
		answer := history{TenantID: c.who.Tenant, TraceID: c.trace, ArchiveUnavailable: partial}
		if short {
			answer.Items, answer.NextCursor = viewSummaries(page.Jobs), view.Text(page.Next)
		} else if answer.Items, answer.NextCursor, err = s.fullPage(c, page, coded); err != nil {
			c.unavailable(err)
			return
		}
		c.json(http.StatusOK, answer)
	}
}

func viewSummaries(records []queue.Record) []json.RawMessage {
	items := make([]json.RawMessage, len(records))
	for i, r := range records {
		items[i] = encodeJSON(view.NewSummary(r))
	}
	return items
}
