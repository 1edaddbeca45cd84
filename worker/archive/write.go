package archive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ccee/worker/queue"
)

// refused reports whether the database refused what it was told, rather than being away: trying again would be no use.
func refused(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) || len(e.Code) < 2 {
		return false
	}
	switch e.Code[:2] {
	case "22", "23": // data exception, integrity constraint violation
		return true
	}
	return false
}

// change is one thing to be brought into the archive, or out of it.
type change struct {
	queue.Unarchived
	stored queue.Stored // nil when it is to be deleted
}

// write brings changes over, all or none. It is idempotent: what is there already is replaced, and its cost with it.
func (a *Archive) write(ctx context.Context, changes []change) error {
	return a.do(ctx, "store jobs", func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
			b := &pgx.Batch{}
			b.Queue(`SELECT pg_advisory_xact_lock($1)`, lockKey) // two at once would each take an old cost away
			for _, c := range changes {
				if err := c.queue(b); err != nil {
					return err
				}
			}
			return tx.SendBatch(ctx, b).Close()
		})
	})
}

func (c *change) queue(b *pgx.Batch) error {
	if c.stored == nil {
		b.Queue(`DELETE FROM ccee_jobs WHERE tenant = $1 AND id = $2`, c.Tenant, c.ID) // what it cost stays
		return nil
	}
	data, err := encode(c.stored)
	if err != nil {
		return err
	}
	record, err := encode(c.stored.Summary())
	if err != nil {
		return err
	}
	r := c.stored.Record()
	day := r.CompletedAt.UTC().Format(time.DateOnly)
	cost := strconv.FormatFloat(r.EstimatedCostUsd, 'f', 8, 64)
	b.Queue(`UPDATE ccee_costs c SET usd = usd - j.cost_usd FROM ccee_jobs j
		WHERE j.tenant = $1 AND j.id = $2 AND c.tenant = j.tenant AND c.day = j.cost_day`, c.Tenant, c.ID)
	b.Queue(`INSERT INTO ccee_jobs (tenant, id, created_ms, completed_at, status, language, cost_day, cost_usd, record, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7::text::date, $8::text::numeric, $9, $10)
		ON CONFLICT (tenant, id) DO UPDATE SET created_ms = $3, completed_at = $4, status = $5, language = $6, cost_day = $7::text::date,
			cost_usd = $8::text::numeric, record = $9, data = $10`,
		c.Tenant, c.ID, r.CreatedAt.UnixMilli(), r.CompletedAt, string(r.Shown()), r.Language, day, cost, record, data)
	b.Queue(`INSERT INTO ccee_costs (tenant, day, usd) VALUES ($1, $2::text::date, $3::text::numeric)
		ON CONFLICT (tenant, day) DO UPDATE SET usd = ccee_costs.usd + EXCLUDED.usd`, c.Tenant, day, cost)
	return nil
}

// place is what the state is called that says how far the audit was copied.
const place = "audit"

// copied returns how far the audit was copied: a place in the audit of all tenants, "" for nothing.
func (a *Archive) copied(ctx context.Context) (at string, err error) {
	err = a.do(ctx, "read the state", func(ctx context.Context) error {
		return a.pool.QueryRow(ctx, `SELECT value FROM ccee_state WHERE name = $1`, place).Scan(&at)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return at, err
}

// writeEvents stores events, and that the audit is copied up to at.
func (a *Archive) writeEvents(ctx context.Context, events []queue.Event, at string) error {
	return a.do(ctx, "store the audit", func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
			b := &pgx.Batch{}
			for _, e := range events {
				ms, n, err := parseStreamID(e.StreamID)
				if err != nil || !storable(e.Tenant) {
					continue // of a time before it told its place in the tenant's trail; or of no tenant that there can be
				}
				for _, s := range []*string{&e.Link.Seq, &e.Link.Prev, &e.Link.Hash, &e.Link.Stamp, &e.Actor, &e.Action, &e.JobID} {
					if !storable(*s) { // one who can write to Redis did that; Verify tells
						*s = strconv.Quote(*s)
					}
				}
				b.Queue(`INSERT INTO ccee_audit (tenant, ms, n, seq, prev, hash, stamp, actor, action, job_id, metadata)
					VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
					e.Tenant, ms, n, e.Link.Seq, e.Link.Prev, e.Link.Hash, e.Link.Stamp, e.Actor, e.Action, e.JobID, []byte(e.Metadata))
			}
			b.Queue(`INSERT INTO ccee_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2`, place, at)
			return tx.SendBatch(ctx, b).Close()
		})
	})
}

// storable reports whether PostgreSQL's text can have s.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// parseStreamID splits "<ms>-<n>".
func parseStreamID(id string) (ms, n int64, err error) {
	before, after, ok := strings.Cut(id, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q is no id of a stream", id)
	}
	if ms, err = strconv.ParseInt(before, 10, 64); err == nil {
		n, err = strconv.ParseInt(after, 10, 64)
	}
	return ms, n, err
}

// Delete deletes a tenant's job and reports whether there was one.
func (a *Archive) Delete(ctx context.Context, tenant, id string) (bool, error) {
	var n int64
	err := a.do(ctx, "delete job "+id, func(ctx context.Context) error {
		tag, err := a.pool.Exec(ctx, `DELETE FROM ccee_jobs WHERE tenant = $1 AND id = $2`, tenant, id)
		n = tag.RowsAffected()
		return err
	})
	return n > 0, err
}

// SetAnalysis stores what was said of a tenant's archived job; queue.ErrNotFound if there is none.
func (a *Archive) SetAnalysis(ctx context.Context, tenant, id string, v queue.Verbal) error {
	s, err := a.stored(ctx, tenant, id)
	if err != nil {
		return err
	}
	s.SetAnalysis(v)
	data, err := encode(s)
	if err != nil {
		return err
	}
	record, err := encode(s.Summary())
	if err != nil {
		return err
	}
	return a.do(ctx, "store the analysis of job "+id, func(ctx context.Context) error {
		_, err := a.pool.Exec(ctx, `UPDATE ccee_jobs SET record = $3, data = $4 WHERE tenant = $1 AND id = $2`, tenant, id, record, data)
		return err
	})
}
