// SPDX-License-Identifier: Apache-2.0

// Package archive keeps finished jobs, their costs and the audit in PostgreSQL, for as long as the operator likes: longer than Redis does.
//
// Nothing waits for the database. Finished jobs wait in Redis (queue.Unarchived) until a Copier has copied them, for a week at most.
// Copying is idempotent: a job that is copied twice is stored once and billed once. A job that a tenant deletes is deleted here in the
// same way, even if the database was unreachable at the time.
package archive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	queryTimeout = 2 * time.Second  // of a query of the api
	copyTimeout  = 10 * time.Second // of one transaction of the copier, for which nobody waits
	// downTime is how long every query fails at once after the database was unreachable: otherwise each request would wait for it.
	downTime = time.Second
	maxConns = 8
)

// ErrUnreachable means that the database does not answer.
var ErrUnreachable = errors.New("the archive is unreachable")

// Archive is a connection to the database. It is safe for concurrent use.
type Archive struct {
	pool    *pgxpool.Pool
	timeout time.Duration // of each query

	mu        sync.Mutex // guards the rest
	tables    bool       // the tables exist
	downUntil time.Time  // until then the database counts as unreachable
}

// Open prepares an archive in the database at url: postgres://USER:PASSWORD@HOST:PORT/NAME, or what else libpq takes. It does not connect:
// the database may come later.
func Open(url string) (*Archive, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parser's message may quote the URL, and with it the password.
		return nil, errors.New("the archive's URL is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	cfg.MaxConns = maxConns
	cfg.ConnConfig.ConnectTimeout = queryTimeout
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare the archive: %w", err)
	}
	return &Archive{pool: pool, timeout: queryTimeout}, nil
}

// forCopier returns a second Archive with its own connection and its own outage detection, so that tenants' reads can't starve copying.
func (a *Archive) forCopier() (*Archive, error) {
	cfg := a.pool.Config()
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare the archive: %w", err)
	}
	return &Archive{pool: pool, timeout: copyTimeout}, nil
}

// Close ends the connections.
func (a *Archive) Close() { a.pool.Close() }

// createTables creates the tables that don't exist. Their names begin with ccee_, as the database may have tables of others. Ids sort as
// in Redis, by bytes. record and data are stored jobs (stored.go), record without the large fields. What tenants write is bytea: text
// can't have a NUL.
const createTables = `
CREATE TABLE IF NOT EXISTS ccee_jobs (
  tenant text NOT NULL, id text COLLATE "C" NOT NULL, created_ms bigint NOT NULL, completed_at timestamptz, status text NOT NULL,
  language text NOT NULL, cost_day date NOT NULL, cost_usd numeric(20,8) NOT NULL, record bytea NOT NULL, data bytea NOT NULL,
  PRIMARY KEY (tenant, id));
CREATE INDEX IF NOT EXISTS ccee_jobs_history ON ccee_jobs (tenant, created_ms DESC, id DESC);
CREATE TABLE IF NOT EXISTS ccee_costs (
  tenant text NOT NULL, day date NOT NULL, usd numeric(20,8) NOT NULL, PRIMARY KEY (tenant, day));
CREATE TABLE IF NOT EXISTS ccee_audit (
  tenant text NOT NULL, ms bigint NOT NULL, n bigint NOT NULL, seq text NOT NULL, prev text NOT NULL, hash text NOT NULL, stamp text NOT NULL,
  actor text NOT NULL, action text NOT NULL, job_id text NOT NULL, metadata bytea NOT NULL, PRIMARY KEY (tenant, ms, n));
CREATE TABLE IF NOT EXISTS ccee_state (name text PRIMARY KEY, value text NOT NULL);`

// lockKey is the key of the advisory lock under which the tables are created: "ccee".
const lockKey = 0x63636565

// run runs work with a connection, once the tables exist. The error is ErrUnreachable when the database did not answer.
func (a *Archive) run(ctx context.Context, what string, work func(ctx context.Context, db *pgxpool.Conn) error) error {
	if a.isDown() {
		return ErrUnreachable
	}
	bounded, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	connected := false
	err := a.pool.AcquireFunc(bounded, func(db *pgxpool.Conn) error {
		if err := a.ensureTables(bounded, db); err != nil {
			return err
		}
		connected = true
		return work(bounded, db)
	})
	switch {
	case err == nil || errors.Is(err, pgx.ErrNoRows):
		return err
	case rejected(err), errors.Is(err, errSuperseded), ctx.Err() != nil: // the caller's fault
		return fmt.Errorf("%s in the archive: %w", what, err)
	case connected && bounded.Err() != nil: // this query was too slow; others may not be
	case tableMissing(err):
		a.setTables(false)
	default:
		a.mu.Lock()
		a.downUntil = time.Now().Add(downTime)
		a.mu.Unlock()
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, what, err)
}

func (a *Archive) isDown() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.downUntil)
}

// tableMissing reports whether a table doesn't exist: somebody has created the database again.
func tableMissing(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "42P01"
}

func (a *Archive) setTables(exist bool) {
	a.mu.Lock()
	a.tables = exist
	a.mu.Unlock()
}

func (a *Archive) ensureTables(ctx context.Context, db *pgxpool.Conn) error {
	a.mu.Lock()
	exist := a.tables
	a.mu.Unlock()
	if exist {
		return nil
	}
	// Looking first takes no lock; CREATE INDEX would wait for writers, even if the index exists.
	if err := db.QueryRow(ctx, `SELECT bool_and(to_regclass(t) IS NOT NULL) FROM unnest($1::text[]) t`,
		[]string{"ccee_jobs", "ccee_jobs_history", "ccee_costs", "ccee_audit", "ccee_state"}).Scan(&exist); err != nil {
		return err
	}
	if !exist {
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, createTables)
			return err
		})
		if err != nil {
			return err
		}
	}
	a.setTables(true)
	return nil
}
