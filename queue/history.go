// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// HistoryQuery selects a part of a tenant's history.
type HistoryQuery struct {
	Limit    int       // at least 1
	Cursor   string    // the Next of an earlier Page; "": from the newest
	From, To time.Time // of submission, to the millisecond, both included; zero: no bound
	Status   State     // as Record.Shown returns it; "": any
	Language string    // "": any
}

// matches reports whether the query selects r.
func (h *HistoryQuery) matches(r Record) bool {
	return (h.Status == "" || r.Shown() == h.Status) && (h.Language == "" || r.Language == h.Language)
}

// Page is a part of a history.
type Page struct {
	Jobs []Record // newest first; their results have no steps, and so no output: Looks has them
	Next string   // the cursor of the next page; "" at the end
}

// ErrCursor means that a cursor is not the Next of a Page.
var ErrCursor = errors.New("no such cursor")

// historyChunk is how many jobs are read in one round trip.
const historyChunk = 100

// summaryFields are recordFields with the result's summary instead of the result.
var summaryFields = func() []string {
	fields := slices.Clone(recordFields)
	fields[slices.Index(fields, "result")] = "summary"
	return fields
}()

// History returns a page of a tenant's jobs, newest first, without those that have expired. The error is ErrCursor, or Redis is
// unreachable.
func (q *Queue) History(ctx context.Context, tenant string, h HistoryQuery) (Page, error) {
	p, err := q.history(ctx, tenant, h)
	if err != nil && !errors.Is(err, ErrCursor) {
		err = q.explain("read the history of tenant "+tenant, err)
	}
	return p, err
}

func (q *Queue) history(ctx context.Context, tenant string, h HistoryQuery) (Page, error) {
	ids, err := q.historyIDs(ctx, tenant, h)
	if err != nil {
		return Page{}, err
	}
	var p Page
	for chunk := range slices.Chunk(ids, min(historyChunk, h.Limit+1)) {
		records, err := q.read(ctx, chunk, summaryFields)
		if err != nil {
			return Page{}, err
		}
		for _, r := range records {
			if !h.matches(r) {
				continue
			}
			if len(p.Jobs) == h.Limit {
				p.Next = p.Jobs[h.Limit-1].Cursor()
				return p, nil
			}
			p.Jobs = append(p.Jobs, r)
		}
	}
	return p, nil
}

// historyIDs returns the ids that the query may select, newest first. They are bounded, as a history is.
func (q *Queue) historyIDs(ctx context.Context, tenant string, h HistoryQuery) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	by := &redis.ZRangeBy{Min: "-inf", Max: "+inf"}
	if !h.From.IsZero() {
		by.Min = strconv.FormatInt(h.From.UnixMilli(), 10)
	}
	if !h.To.IsZero() {
		by.Max = strconv.FormatInt(h.To.UnixMilli(), 10)
	}
	if h.Cursor == "" {
		//lint:ignore SA1019 its successor, ZRANGE with REV, needs Redis 6.2; Debian 11 has 6.0
		return q.rdb.ZRevRangeByScore(ctx, q.keys.history(tenant), by).Result()
	}
	ms, id, err := ParseCursor(h.Cursor)
	if err != nil {
		return nil, err
	}
	if h.To.IsZero() || ms < h.To.UnixMilli() {
		by.Max = strconv.FormatInt(ms, 10)
	}
	zs, err := q.rdb.ZRevRangeByScoreWithScores(ctx, q.keys.history(tenant), by).Result()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, z := range zs {
		// Jobs of one millisecond are sorted by id.
		if member := text(z.Member); int64(z.Score) < ms || member < id {
			ids = append(ids, member)
		}
	}
	return ids, nil
}

// Cursor returns the job's place in its tenant's history, which is sorted by the time of submission, then by id.
func (r Record) Cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(r.CreatedAt.UnixMilli(), 10) + " " + r.ID))
}

// ParseCursor parses a Cursor; the error is ErrCursor.
func ParseCursor(s string) (ms int64, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, "", ErrCursor
	}
	at, id, ok := strings.Cut(string(b), " ")
	ms, err = strconv.ParseInt(at, 10, 54)
	if !ok || err != nil || ms < 0 || id == "" {
		return 0, "", ErrCursor
	}
	return ms, id, nil
}
