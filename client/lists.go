// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// HistoryQuery selects a part of the history; zero members select all.
type HistoryQuery struct {
	Status, Language string
	From, To         time.Time
	Page             int // jobs per call; 0: the server's default
}

// History iterates over the jobs, the newest first, without their output. It fetches pages as they are needed and ends after an error.
func (c *Client) History(ctx context.Context, h HistoryQuery) iter.Seq2[*Job, error] {
	q := url.Values{"view": {"summary"}}
	set := func(name, v string) {
		if v != "" {
			q.Set(name, v)
		}
	}
	set("status", h.Status)
	set("language", h.Language)
	for name, t := range map[string]time.Time{"from": h.From, "to": h.To} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if h.Page > 0 {
		q.Set("limit", strconv.Itoa(h.Page))
	}
	return pages(ctx, c, "/v1/jobs", q, "items", func(raw json.RawMessage) (*Job, error) {
		j := &Job{Raw: raw}
		return j, json.Unmarshal(raw, j)
	})
}

// Event is one entry of the audit; Raw is all of it.
type Event struct {
	StreamID  string          `json:"streamId"`
	Timestamp time.Time       `json:"timestamp"`
	Actor     string          `json:"actor"`
	Action    string          `json:"action"`
	JobID     string          `json:"jobId"`
	Metadata  json.RawMessage `json:"metadata"`

	Raw json.RawMessage `json:"-"`
}

// Audit iterates over the audit, the newest first. It fetches pages as they are needed and ends after an error.
func (c *Client) Audit(ctx context.Context) iter.Seq2[*Event, error] {
	return pages(ctx, c, "/v1/audit", url.Values{"limit": {"100"}}, "events", func(raw json.RawMessage) (*Event, error) {
		e := &Event{Raw: raw}
		return e, json.Unmarshal(raw, e)
	})
}

// pages iterates over the elements of a list, page by page.
func pages[T any](ctx context.Context, c *Client, path string, q url.Values, member string, read func(json.RawMessage) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		q := maps.Clone(q) // each iteration begins at the first page
		for {
			var page map[string]json.RawMessage
			var items []json.RawMessage
			var next string
			_, err := c.call(ctx, request{method: http.MethodGet, path: path, query: q}, &page)
			if err == nil {
				err = json.Unmarshal(page[member], &items)
			}
			if err == nil {
				err = json.Unmarshal(page["nextCursor"], &next)
			}
			if err != nil {
				yield(zero, err)
				return
			}
			for _, raw := range items {
				item, err := read(raw)
				if !yield(item, err) || err != nil {
					return
				}
			}
			if next == "" {
				return
			}
			q.Set("cursor", next)
		}
	}
}
