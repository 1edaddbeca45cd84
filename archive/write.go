// SPDX-License-Identifier: Apache-2.0

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
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ccee-dev/ccee/queue"
)

// rejected reports whether the database rejected the data: trying again would be no use.
func rejected(err error) bool {
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

// change is a job to be stored in the archive, with its row, or to be deleted from it.
type change struct {
	queue.Unarchived
	job          queue.Record
	record, data []byte
}

// newChange encodes a stored job; of one that is to be deleted there is nothing to encode.
func newChange(u queue.Unarchived, s queue.Stored) (c change, err error) {
	if c.Unarchived = u; u.Deleted {
		return c, nil
	}
	c.job = s.Record()
	if c.record, err = encode(s.Summary()); err == nil {
		c.data, err = encode(s)
	}
	return c, err
}

func (c *change) bytes() int { return len(c.record) + len(c.data) }

// errSuperseded means that another copier has begun: this one may have read a job before the other one wrote it, or before it was deleted.
var errSuperseded = errors.New("another copier has begun")

// Names of rows in ccee_state.
const (
	auditPosition = "audit"  // the place in the audit of all tenants up to which it is copied
	copierName    = "copier" // the copier that began last
)

// begin records that the copier of that name copies what it reads from now on. It returns the place in the audit of all tenants up to which
// that is copied; "" for none.
func (a *Archive) begin(ctx context.Context, copier string) (at string, err error) {
	err = a.run(ctx, "begin to copy", func(ctx context.Context, db *pgxpool.Conn) error {
		var before string
		err := db.QueryRow(ctx, `SELECT coalesce(max(value) FILTER (WHERE name = $1), ''), coalesce(max(value) FILTER (WHERE name = $2), '') FROM ccee_state`,
			auditPosition, copierName).Scan(&at, &before)
		if err == nil && before != copier {
			_, err = db.Exec(ctx, `INSERT INTO ccee_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2`, copierName, copier)
		}
		return err
	})
	return at, err
}

// inCopierTx sends the batch that fill fills in one transaction, if that copier was the last one to begin; otherwise it returns
// errSuperseded. One copier writes at a time, by the lock of the row.
func (a *Archive) inCopierTx(ctx context.Context, copier, what string, fill func(*pgx.Batch)) error {
	return a.run(ctx, what, func(ctx context.Context, db *pgxpool.Conn) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			var now string
			err := tx.QueryRow(ctx, `SELECT value FROM ccee_state WHERE name = $1 FOR UPDATE`, copierName).Scan(&now)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			if now != copier {
				return errSuperseded
			}
			b := &pgx.Batch{}
			fill(b)
			return tx.SendBatch(ctx, b).Close()
		})
	})
}

// write stores and deletes jobs, all or none. It is idempotent: a job that is there is replaced, and its cost with it.
func (a *Archive) write(ctx context.Context, copier string, changes []change) error {
	return a.inCopierTx(ctx, copier, "store jobs", func(b *pgx.Batch) {
		for _, c := range changes {
			c.queue(b)
		}
	})
}

func (c *change) queue(b *pgx.Batch) {
	if c.Deleted {
		b.Queue(`DELETE FROM ccee_jobs WHERE tenant = $1 AND id = $2`, c.Tenant, c.ID) // its cost stays
		return
	}
	r := c.job
	day := r.CompletedAt.UTC().Format(time.DateOnly)
	cost := strconv.FormatFloat(r.EstimatedCostUsd, 'f', 8, 64)
	b.Queue(`UPDATE ccee_costs c SET usd = usd - j.cost_usd FROM ccee_jobs j
		WHERE j.tenant = $1 AND j.id = $2 AND c.tenant = j.tenant AND c.day = j.cost_day`, c.Tenant, c.ID)
	b.Queue(`INSERT INTO ccee_jobs (tenant, id, created_ms, completed_at, status, language, cost_day, cost_usd, record, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7::text::date, $8::text::numeric, $9, $10)
		ON CONFLICT (tenant, id) DO UPDATE SET created_ms = $3, completed_at = $4, status = $5, language = $6, cost_day = $7::text::date,
			cost_usd = $8::text::numeric, record = $9, data = $10`,
		c.Tenant, c.ID, r.CreatedAt.UnixMilli(), r.CompletedAt, string(r.Shown()), r.Language, day, cost, c.record, c.data)
	b.Queue(`INSERT INTO ccee_costs (tenant, day, usd) VALUES ($1, $2::text::date, $3::text::numeric)
		ON CONFLICT (tenant, day) DO UPDATE SET usd = ccee_costs.usd + EXCLUDED.usd`, c.Tenant, day, cost)
}

// writeEvents stores events and at, the place up to which the audit is copied then.
func (a *Archive) writeEvents(ctx context.Context, copier string, events []queue.Event, at string) error {
	return a.inCopierTx(ctx, copier, "store the audit", func(b *pgx.Batch) {
		for _, e := range events {
			ms, n, err := parseStreamID(e.StreamID)
			if err != nil || !storable(e.Tenant) {
				continue // written by a version that didn't store its place in the tenant's trail, or of an impossible tenant
			}
			for _, s := range []*string{&e.Link.Seq, &e.Link.Prev, &e.Link.Hash, &e.Link.Stamp, &e.Actor, &e.Action, &e.JobID} {
				if !storable(*s) { // written by somebody with access to Redis; Verify finds it
					*s = strconv.Quote(*s)
				}
			}
			b.Queue(`INSERT INTO ccee_audit (tenant, ms, n, seq, prev, hash, stamp, actor, action, job_id, metadata)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
				e.Tenant, ms, n, e.Link.Seq, e.Link.Prev, e.Link.Hash, e.Link.Stamp, e.Actor, e.Action, e.JobID, []byte(e.Metadata))
		}
		b.Queue(`INSERT INTO ccee_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2`, auditPosition, at)
	})
}

// storable reports whether s can be a PostgreSQL text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// parseStreamID splits "<ms>-<n>". A number beyond bigint, which is none of ours, reads as the largest one: a tenant may send it as a
// cursor.
func parseStreamID(id string) (ms, n int64, err error) {
	before, after, ok := strings.Cut(id, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q is no id of a stream", id)
	}
	if ms, err = bigint(before); err == nil {
		n, err = bigint(after)
	}
	return ms, n, err
}

func bigint(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil
	}
	return n, err
}

// Delete deletes a tenant's job and reports whether there was one.
func (a *Archive) Delete(ctx context.Context, tenant, id string) (bool, error) {
	var n int64
	err := a.run(ctx, "delete job "+id, func(ctx context.Context, db *pgxpool.Conn) error {
		tag, err := db.Exec(ctx, `DELETE FROM ccee_jobs WHERE tenant = $1 AND id = $2`, tenant, id)
		n = tag.RowsAffected()
		return err
	})
	return n > 0, err
}

// SetAnalysis stores the analysis of a tenant's archived job, or returns queue.ErrNotFound.
func (a *Archive) SetAnalysis(ctx context.Context, tenant, id string, v queue.Analysis) error {
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
	return a.run(ctx, "store the analysis of job "+id, func(ctx context.Context, db *pgxpool.Conn) error {
		_, err := db.Exec(ctx, `UPDATE ccee_jobs SET record = $3, data = $4 WHERE tenant = $1 AND id = $2`, tenant, id, record, data)
		return err
	})
}
