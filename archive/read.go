// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ccee-dev/ccee/queue"
)

// stored returns all that is stored of a tenant's job, or queue.ErrNotFound.
func (a *Archive) stored(ctx context.Context, tenant, id string) (queue.Stored, error) {
	var data []byte
	err := a.run(ctx, "read job "+id, func(ctx context.Context, db *pgxpool.Conn) error {
		return db.QueryRow(ctx, `SELECT data FROM ccee_jobs WHERE tenant = $1 AND id = $2`, tenant, id).Scan(&data)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows) || rejected(err): // an id with a NUL is rejected
		return nil, queue.ErrNotFound
	case err != nil:
		return nil, err
	}
	return decode(data)
}

// Ping is nil when the database answers.
func (a *Archive) Ping(ctx context.Context) error {
	return a.run(ctx, "ping", func(ctx context.Context, db *pgxpool.Conn) error { return db.Ping(ctx) })
}

// Size returns the size of a tenant's job, in bytes, or queue.ErrNotFound.
func (a *Archive) Size(ctx context.Context, tenant, id string) (n int64, err error) {
	err = a.run(ctx, "read the size of job "+id, func(ctx context.Context, db *pgxpool.Conn) error {
		return db.QueryRow(ctx, `SELECT octet_length(data) FROM ccee_jobs WHERE tenant = $1 AND id = $2`, tenant, id).Scan(&n)
	})
	if errors.Is(err, pgx.ErrNoRows) || rejected(err) { // an id with a NUL is rejected
		err = queue.ErrNotFound
	}
	return n, err
}

// Get returns a tenant's job, or queue.ErrNotFound.
func (a *Archive) Get(ctx context.Context, tenant, id string) (queue.Record, error) {
	s, err := a.stored(ctx, tenant, id)
	if err != nil {
		return queue.Record{}, err
	}
	return s.Record(), nil
}

// Source returns the text of a tenant's job, or queue.ErrNotFound.
func (a *Archive) Source(ctx context.Context, tenant, id string) (string, error) {
	s, err := a.stored(ctx, tenant, id)
	return s.Source(), err
}

// Submitted returns the submission of a tenant's job, without its webhook, or queue.ErrNotFound.
func (a *Archive) Submitted(ctx context.Context, tenant, id string) (queue.Submission, error) {
	s, err := a.stored(ctx, tenant, id)
	if err != nil {
		return queue.Submission{}, err
	}
	return s.Submission()
}

// History returns a page of a tenant's jobs, as queue.History does: without output.
func (a *Archive) History(ctx context.Context, tenant string, h queue.HistoryQuery) (queue.Page, error) {
	top, id, from := int64(math.MaxInt64), "", int64(math.MinInt64)
	if h.Cursor != "" {
		var err error
		if top, id, err = queue.ParseCursor(h.Cursor); err != nil {
			return queue.Page{}, err
		}
	}
	to := int64(math.MaxInt64)
	if !h.To.IsZero() {
		to = h.To.UnixMilli()
	}
	if !h.From.IsZero() {
		from = h.From.UnixMilli()
	}
	var p queue.Page
	err := a.run(ctx, "read the history", func(ctx context.Context, db *pgxpool.Conn) error {
		rows, err := db.Query(ctx, `SELECT record FROM ccee_jobs WHERE tenant = $1 AND (created_ms, id) < ($2, $3) AND created_ms BETWEEN $4 AND $5
			AND ($6 = '' OR status = $6) AND ($7 = '' OR language = $7) ORDER BY created_ms DESC, id DESC LIMIT $8`,
			tenant, top, id, from, to, string(h.Status), h.Language, h.Limit+1)
		if err != nil {
			return err
		}
		records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (queue.Record, error) {
			var b []byte
			if err := row.Scan(&b); err != nil {
				return queue.Record{}, err
			}
			s, err := decode(b)
			return s.Record(), err
		})
		p = queue.Page{Jobs: records}
		return err
	})
	if rejected(err) { // a filter with a NUL
		return queue.Page{}, nil
	}
	if len(p.Jobs) > h.Limit {
		p.Jobs = p.Jobs[:h.Limit]
		p.Next = p.Jobs[h.Limit-1].Cursor()
	}
	return p, err
}

// Costs returns the cost of a tenant's jobs, in USD, by the days (YYYY-MM-DD) from one to another, both included, on which any finished.
func (a *Archive) Costs(ctx context.Context, tenant string, from, to time.Time) (map[string]float64, error) {
	costs := map[string]float64{}
	err := a.run(ctx, "read the costs", func(ctx context.Context, db *pgxpool.Conn) error {
		rows, err := db.Query(ctx, `SELECT day::text, usd::float8 FROM ccee_costs WHERE tenant = $1 AND day BETWEEN $2 AND $3`, tenant, from, to)
		if err != nil {
			return err
		}
		var day string
		var usd float64
		_, err = pgx.ForEachRow(rows, []any{&day, &usd}, func() error { costs[day] = usd; return nil })
		return err
	})
	return costs, err
}

// eventColumns are the columns that event reads.
const eventColumns = `ms, n, seq, prev, hash, stamp, actor, action, job_id, metadata`

func event(tenant string, row pgx.CollectableRow) (queue.Event, error) {
	var ms, n int64
	var metadata []byte
	e := queue.Event{Tenant: tenant}
	err := row.Scan(&ms, &n, &e.Link.Seq, &e.Link.Prev, &e.Link.Hash, &e.Link.Stamp, &e.Actor, &e.Action, &e.JobID, &metadata)
	e.StreamID = strconv.FormatInt(ms, 10) + "-" + strconv.FormatInt(n, 10)
	e.Timestamp, _ = time.Parse(time.RFC3339Nano, e.Link.Stamp)
	e.Metadata = metadata
	return e, err
}

// Events returns a tenant's events before the stream id before ("": the newest), the newest first, as queue.Events does.
func (a *Archive) Events(ctx context.Context, tenant, before string, limit int) ([]queue.Event, error) {
	ms, n := int64(math.MaxInt64), int64(math.MaxInt64)
	if before != "" {
		var err error
		if ms, n, err = parseStreamID(before); err != nil {
			return nil, err
		}
	}
	var events []queue.Event
	err := a.run(ctx, "read the audit", func(ctx context.Context, db *pgxpool.Conn) error {
		rows, err := db.Query(ctx, `SELECT `+eventColumns+` FROM ccee_audit WHERE tenant = $1 AND (ms, n) < ($2, $3) ORDER BY ms DESC, n DESC LIMIT $4`, tenant, ms, n, limit)
		if err != nil {
			return err
		}
		events, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (queue.Event, error) { return event(tenant, row) })
		return err
	})
	for i := range events {
		if !json.Valid(events[i].Metadata) {
			events[i].Metadata = json.RawMessage("{}") // damaged: Verify finds it
		}
	}
	return events, err
}

// Verify reads all of a tenant's archived audit trail and checks its hash chain, as queue.Verify does.
func (a *Archive) Verify(ctx context.Context, tenant string, anchor queue.Anchor) (queue.Chain, error) {
	var c queue.Chain
	var broken error
	err := a.pool.AcquireFunc(ctx, func(db *pgxpool.Conn) error { // not run: a long trail takes longer than timeout
		if err := a.ensureTables(ctx, db); err != nil {
			return err
		}
		rows, err := db.Query(ctx, `SELECT `+eventColumns+` FROM ccee_audit WHERE tenant = $1 ORDER BY ms, n`, tenant)
		if err != nil {
			return err
		}
		defer rows.Close()
		c, broken = queue.VerifyArchived(anchor, func(each func(queue.Event) error) error {
			for rows.Next() {
				e, err := event(tenant, rows)
				if err == nil {
					err = each(e)
				}
				if err != nil {
					return err
				}
			}
			return rows.Err()
		})
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("read the archived audit of tenant %s: %w", tenant, err)
	}
	return c, broken
}
