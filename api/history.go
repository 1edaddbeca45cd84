package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

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

// summaryView is a job in a history without output: the same members, with a result of only those that the contract's job has
// at the top of its result.
type summaryView struct {
	jobView
	Result *resultSummary `json:"result"`
}

type resultSummary struct {
	Status     string     `json:"status"`
	ExitCode   *int       `json:"exitCode"`
	Signal     *string    `json:"signal"`
	TimedOut   bool       `json:"timedOut"`
	DurationMs int64      `json:"durationMs"`
	Verdict    string     `json:"verdict"`
	Tests      *testsView `json:"tests,omitempty"`
}

// publicStates are the words for a job's state that a filter takes.
var publicStates = []string{string(queue.Queued), string(queue.Running), string(queue.Retrying), string(queue.Dispatched),
	string(queue.Succeeded), string(queue.Failed), string(queue.TimedOut), string(queue.Cancelled)}

// listJobs shows a tenant's jobs, the newest first: GET /v1/jobs.
func (s *Server) listJobs(c *call) {
	iss := newIssues()
	values := c.query()
	h := queue.HistoryQuery{
		Limit:  int(queryInt(values.Values, "limit", int64(s.opts.ListDefault), intRange{1, int64(s.opts.ListMax)}, iss)),
		Cursor: values.text("cursor", iss),
		From:   queryTime(values.Values, "from", iss),
		To:     queryTime(values.Values, "to", iss),
	}
	short := queryEnum(values.Values, "view", []string{"full", "summary"}, iss) == "summary"
	coded := queryEnum(values.Values, "encoding", []string{"base64"}, iss) != ""
	h.Status, h.Language = queue.State(queryEnum(values.Values, "status", publicStates, iss)), values.text("language", iss)
	values.check(iss)
	if c.invalid(iss) {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	page, err := s.opts.Queue.History(ctx, c.who.Tenant, h)
	switch {
	case errors.Is(err, queue.ErrCursor):
		iss.field("cursor", msgCursor)
		c.invalid(iss)
	case err != nil:
		c.unavailable(err)
	default:
		page, partial := s.withArchived(c, h, page)
		answer := history{TenantID: c.who.Tenant, TraceID: c.trace, ArchiveUnavailable: partial}
		if short {
			answer.Items, answer.NextCursor = viewSummaries(page.Jobs), orNull(page.Next)
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
		items[i] = encodeJSON(viewSummary(r))
	}
	return items
}

func viewSummary(rec queue.Record) summaryView {
	v := summaryView{jobView: viewJob(rec, false)}
	if r := rec.Result; r != nil {
		v.Result = &resultSummary{Tests: viewTests(r.Tests, false), Status: string(r.Status), ExitCode: r.ExitCode, Signal: orNull(r.Signal), TimedOut: r.TimedOut(),
			DurationMs: wholeMs(r.WallMs), Verdict: string(r.Verdict)}
	}
	return v
}

// queryTime reads a time from the query, the zero time when it isn't there.
func queryTime(q url.Values, name string, iss *issues) time.Time {
	values, there := q[name]
	if !there {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, values[0])
	if len(values) != 1 || err != nil || t.Year() < 1970 || t.Year() > 9999 {
		iss.field(name, "Invalid datetime: write it like 2026-01-31T23:59:59Z")
	}
	return t
}
