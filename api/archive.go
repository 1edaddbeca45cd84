// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// Archive has the finished jobs that Redis no longer has; package archive is one. An error other than queue.ErrNotFound means that it is
// unreachable. Each method answers within a few seconds.
type Archive interface {
	Ping(ctx context.Context) error
	Size(ctx context.Context, tenant, id string) (int64, error) // bytes that Get, Source and Submitted read
	Get(ctx context.Context, tenant, id string) (queue.Record, error)
	Source(ctx context.Context, tenant, id string) (string, error)
	Submitted(ctx context.Context, tenant, id string) (queue.Submission, error)
	History(ctx context.Context, tenant string, h queue.HistoryQuery) (queue.Page, error)
	Costs(ctx context.Context, tenant string, from, to time.Time) (map[string]float64, error) // by day, YYYY-MM-DD
	Events(ctx context.Context, tenant, before string, limit int) ([]queue.Event, error)
	SetAnalysis(ctx context.Context, tenant, id string, v queue.Analysis) error
	Delete(ctx context.Context, tenant, id string) (bool, error)
}

// archiveFault is the error of an unreachable archive.
type archiveFault struct{ error }

func (f *archiveFault) Unwrap() error { return f.error }

// orArchived asks the archive, if there is one, for data that Redis does not have.
func orArchived[T any](s *Server, found T, err error, ask func(Archive) (T, error)) (T, error) {
	if s.opts.Archive == nil || !errors.Is(err, queue.ErrNotFound) {
		return found, err
	}
	found, err = ask(s.opts.Archive)
	if err != nil && !errors.Is(err, queue.ErrNotFound) && !errors.Is(err, errOverloaded) {
		err = &archiveFault{err}
	}
	return found, err
}

// orArchivedJob is orArchived for a job that is shown.
func (s *Server) orArchivedJob(c *call, id string, rec queue.Record, err error) (queue.Record, error) {
	return orArchived(s, rec, err, func(a Archive) (queue.Record, error) { return loadArchived(c, a, id, a.Get) })
}

// withArchived merges archived jobs into a page of the history. partial is true if the archive was unreachable.
func (s *Server) withArchived(c *call, h queue.HistoryQuery, p queue.Page) (all queue.Page, partial bool) {
	if s.opts.Archive == nil {
		return p, false
	}
	old, err := s.opts.Archive.History(c.r.Context(), c.who.Tenant, h)
	if err != nil {
		c.log.Warn().Err(err).Str("traceId", c.trace).Msg("history without the archive")
		return p, true
	}
	return mergePages(p, old, h.Limit), false
}

// mergePages makes one page of two that are sorted alike; of a job that both have, it takes the first's.
func mergePages(a, b queue.Page, limit int) queue.Page {
	all := queue.Page{}
	x, y := a.Jobs, b.Jobs
	for len(x)+len(y) > 0 && len(all.Jobs) < limit {
		switch {
		case len(x) == 0 || len(y) > 0 && newer(y[0], x[0]):
			all.Jobs, y = append(all.Jobs, y[0]), y[1:]
		case len(y) > 0 && x[0].ID == y[0].ID:
			all.Jobs, x, y = append(all.Jobs, x[0]), x[1:], y[1:]
		default:
			all.Jobs, x = append(all.Jobs, x[0]), x[1:]
		}
	}
	if n := len(all.Jobs); n > 0 && (len(x)+len(y) > 0 || a.Next != "" || b.Next != "") {
		all.Next = all.Jobs[n-1].Cursor()
	}
	return all
}

// newer reports whether a comes before b in a history.
func newer(a, b queue.Record) bool {
	if x, y := a.CreatedAt.UnixMilli(), b.CreatedAt.UnixMilli(); x != y {
		return x > y
	}
	return a.ID > b.ID
}

// olderEvents adds archived events of a tenant behind those that Redis has: behind the last of events or, if there is none, the cursor.
// partial is true if the archive was unreachable.
func (s *Server) olderEvents(c *call, events []queue.Event, cursor string, limit int) (all []queue.Event, partial bool) {
	if s.opts.Archive == nil || len(events) >= limit {
		return events, false
	}
	if n := len(events); n > 0 {
		cursor = events[n-1].StreamID
	}
	old, err := s.opts.Archive.Events(c.r.Context(), c.who.Tenant, cursor, limit-len(events))
	if err != nil {
		c.log.Warn().Err(err).Str("traceId", c.trace).Msg("audit without the archive")
		return events, true
	}
	return append(events, old...), false
}

// olderCosts adds the costs of so many days that Redis no longer has, beginning with the day before the last of daily.
func (s *Server) olderCosts(c *call, daily []queue.DayCost, days int) ([]queue.DayCost, error) {
	if days <= 0 {
		return daily, nil
	}
	last, err := time.Parse(time.DateOnly, daily[len(daily)-1].Date)
	if err != nil {
		return nil, err
	}
	costs, err := s.opts.Archive.Costs(c.r.Context(), c.who.Tenant, last.AddDate(0, 0, -days), last.AddDate(0, 0, -1))
	if err != nil {
		return nil, &archiveFault{err}
	}
	for i := range days {
		day := last.AddDate(0, 0, -1-i).Format(time.DateOnly)
		daily = append(daily, queue.DayCost{Date: day, EstimatedCostUsd: costs[day]})
	}
	return daily, nil
}
