// Package archive keeps finished jobs, their costs and the audit in PostgreSQL, for as long as its operator likes: beyond the time for
// which Redis has them.
//
// Nothing waits for the database. What is finished waits in Redis (queue.Unarchived) and a Copier brings it over; a job is kept there
// until that was done, for a week at most. Copying is idempotent: what is copied twice is there once and was billed once. What a tenant
// deletes is deleted here by the same way, also when the database was away at the time.
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
	askTime  = 2 * time.Second  // for a question of the api
	copyTime = 10 * time.Second // for what the copier writes at once: nobody waits for it
	// awayTime is how long nothing is asked after the database was away: else each request would wait for it.
	awayTime = time.Second
	maxConns = 8
)

// ErrUnreachable means that the database does not answer.
var ErrUnreachable = errors.New("the archive is away")

// Archive is a connection to the database. It is safe for concurrent use.
type Archive struct {
	pool   *pgxpool.Pool
	within time.Duration // what is asked is answered, or given up

	mu    sync.Mutex // guards the rest
	made  bool       // the tables are there
	until time.Time  // the database is taken for away
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
	cfg.ConnConfig.ConnectTimeout = askTime
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare the archive: %w", err)
	}
	return &Archive{pool: pool, within: askTime}, nil
}

// apart returns a second one for the copier, with a connection and a word on whether the database is away of its own: however tenants
// read, it copies.
func (a *Archive) apart() (*Archive, error) {
	cfg := a.pool.Config()
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare the archive: %w", err)
	}
	return &Archive{pool: pool, within: copyTime}, nil
}

// Close ends the connections.
func (a *Archive) Close() { a.pool.Close() }

// tables makes what is missing. Names begin with ccee_, so that the database may be another's too. Ids sort as in Redis, by bytes.
// record and data are stored jobs (stored.go), record without what is large; what tenants write is bytes: text can't have a NUL.
const tables = `
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

// lockKey is that of the advisory lock under which the tables are made: "ccee".
const lockKey = 0x63636565

// do runs what works on the database, once the tables are there. What could not be answered is ErrUnreachable.
func (a *Archive) do(ctx context.Context, what string, work func(ctx context.Context, db *pgxpool.Conn) error) error {
	if a.isAway() {
		return ErrUnreachable
	}
	bounded, cancel := context.WithTimeout(ctx, a.within)
	defer cancel()
	there := false
	err := a.pool.AcquireFunc(bounded, func(db *pgxpool.Conn) error {
		if err := a.make(bounded, db); err != nil {
			return err
		}
		there = true
		return work(bounded, db)
	})
	switch {
	case err == nil || errors.Is(err, pgx.ErrNoRows):
		return err
	case refused(err), errors.Is(err, errSuperseded), ctx.Err() != nil: // the caller's doing
		return fmt.Errorf("%s in the archive: %w", what, err)
	case there && bounded.Err() != nil: // this was too much for the time; others' questions may not be
	case gone(err):
		a.setMade(false)
	default:
		a.mu.Lock()
		a.until = time.Now().Add(awayTime)
		a.mu.Unlock()
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, what, err)
}

func (a *Archive) isAway() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.until)
}

// gone reports whether a table is not there: somebody made the database anew.
func gone(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "42P01"
}

func (a *Archive) setMade(made bool) {
	a.mu.Lock()
	a.made = made
	a.mu.Unlock()
}

func (a *Archive) make(ctx context.Context, db *pgxpool.Conn) error {
	a.mu.Lock()
	made := a.made
	a.mu.Unlock()
	if made {
		return nil
	}
	// To look first takes no lock; CREATE INDEX would wait for who writes, even where there is one.
	if err := db.QueryRow(ctx, `SELECT bool_and(to_regclass(t) IS NOT NULL) FROM unnest($1::text[]) t`,
		[]string{"ccee_jobs", "ccee_jobs_history", "ccee_costs", "ccee_audit", "ccee_state"}).Scan(&made); err != nil {
		return err
	}
	if !made {
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, tables)
			return err
		})
		if err != nil {
			return err
		}
	}
	a.setMade(true)
	return nil
}
