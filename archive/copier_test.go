// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// A copier whose lease has ended, and which does not know, brings nothing back that was deleted meanwhile; nor does it hold up the other.
func TestSuperseded(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	id := r.submit(t, tenant)
	r.finish(t)
	stale := r.waiting(t)
	r.redis.Do(t, "EVAL", "for _, k in ipairs(redis.call('KEYS', '*:archiver')) do redis.call('DEL', k) end", "0")
	if err := r.queue.Purge(t.Context(), tenant, id); err != nil {
		t.Fatal(err)
	}
	other := newCopier(t, r)
	if _, err := other.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.copier.archive.write(t.Context(), r.copier.name, stale); !errors.Is(err, errSuperseded) || r.copier.archive.isDown() {
		t.Errorf("a stale write: %v, away %v", err, r.copier.archive.isDown())
	}
	if _, err := r.archive.Get(t.Context(), tenant, id); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("the deleted job: %v", err)
	}
	kept := r.submit(t, tenant)
	r.finish(t)
	for _, c := range []*Copier{r.copier, other} { // the first has no lease: only the other one copies
		if _, err := c.round(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.archive.Get(t.Context(), tenant, kept); err != nil {
		t.Error(err)
	}
}

// Large jobs go over a few at a time, so that each write ends in its time.
func TestLargeJobs(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	r.copier.batch = 64 << 10 // megabytes are seconds of work for a slow machine's Redis, more than one step may take
	const n = 5
	for range n {
		r.submit(t, tenant)
		l, err := r.queue.Claim(patience.Context(t), queue.Claimer{Worker: "w", Languages: []string{"python"}})
		if err != nil {
			t.Fatal(err)
		}
		out := job.Output{Data: bytes.Repeat([]byte("x\xff<\n"), r.copier.batch/8), Bytes: int64(r.copier.batch / 2)}
		if err := l.Complete(t.Context(), queue.Outcome{Result: job.Result{Status: job.Succeeded, Steps: []job.Step{{Name: "run", Stdout: out}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if more, err := r.copier.round(t.Context()); !more || err != nil {
		t.Fatalf("the first round: more %v, %v", more, err)
	}
	if left, err := r.queue.CountUnarchived(t.Context()); err != nil || left == 0 || left == n {
		t.Errorf("%d of %d wait after one round, %v", left, n, err)
	}
	r.copy(t)
	if p, err := r.archive.History(t.Context(), tenant, queue.HistoryQuery{Limit: 9}); err != nil || len(p.Jobs) != n {
		t.Errorf("%d jobs, %v", len(p.Jobs), err)
	}
}

// A database that was made anew while nobody looked gets its tables again.
func TestDatabaseMadeAnew(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	if _, err := r.archive.pool.Exec(t.Context(), `DROP TABLE ccee_jobs, ccee_costs, ccee_audit, ccee_state`); err != nil {
		t.Fatal(err)
	}
	id := r.submit(t, tenant)
	r.finish(t)
	if _, err := r.copier.round(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without tables: %v, want ErrUnreachable", err)
	}
	r.copy(t)
	if _, err := r.archive.Get(t.Context(), tenant, id); err != nil {
		t.Error(err)
	}
	if events, err := r.archive.Events(t.Context(), tenant, "", 9); err != nil || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// One question that takes too long fails by itself: the archive is not away for others, nor for the copier.
func TestSlowQuestion(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	id := r.submit(t, tenant)
	r.finish(t)
	if _, err := r.archive.Get(t.Context(), tenant, id); !errors.Is(err, queue.ErrNotFound) { // connects, which may take longer than the time below
		t.Fatalf("before it was copied: %v, want ErrNotFound", err)
	}
	r.archive.timeout = 50 * time.Millisecond
	err := r.archive.run(t.Context(), "dawdle", func(ctx context.Context, db *pgxpool.Conn) error {
		_, err := db.Exec(ctx, `SELECT pg_sleep(60)`)
		return err
	})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("what takes too long: %v, want ErrUnreachable", err)
	}
	r.archive.timeout = queryTimeout
	r.copy(t)
	if _, err := r.archive.Get(t.Context(), tenant, id); err != nil {
		t.Errorf("another question at once: %v", err)
	}
}

// Who reads first waits for nobody who writes.
func TestReadWhileWriting(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	tx, err := r.copier.archive.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), `LOCK TABLE ccee_jobs, ccee_costs, ccee_audit, ccee_state IN ROW EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	if _, err := openArchive(t, r.database).Get(t.Context(), tenant, "none"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// Events that are copied again, since how far they were copied is lost, are stored once, and hold up none of the later ones.
func TestEventsAreCopiedAgain(t *testing.T) {
	r, tenant := newRig(t), unique("tenant")
	r.submit(t, tenant)
	r.finish(t)
	r.copy(t)
	if _, err := r.archive.pool.Exec(t.Context(), `DELETE FROM ccee_state WHERE name = $1`, auditPosition); err != nil {
		t.Fatal(err)
	}
	r.submit(t, tenant)
	r.copy(t)
	if events, err := r.archive.Events(t.Context(), tenant, "", 9); err != nil || len(events) != 4 {
		t.Errorf("%d events, %v, want the 3 of the first job and the submission of the second", len(events), err)
	}
}

// A database that fails while it is given the jobs one by one, since it rejected one of them, has rejected that one alone.
func TestOutageAfterARejection(t *testing.T) {
	r := newRig(t)
	bad, good := unique("tenant")+"\x00", unique("tenant")
	for _, tenant := range []string{bad, good} {
		r.submit(t, tenant)
		r.finish(t)
	}
	changes := r.waiting(t)
	if len(changes) != 2 {
		t.Fatalf("%d wait, want two", len(changes))
	}
	if changes[0].Tenant != bad { // the bad one first
		slices.Reverse(changes)
	}
	if _, err := r.archive.pool.Exec(t.Context(), `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER fail BEFORE INSERT ON ccee_jobs EXECUTE FUNCTION fail()`); err != nil {
		t.Fatal(err)
	}
	if err := r.copier.write(t.Context(), changes); !errors.Is(err, ErrUnreachable) {
		t.Errorf("write: %v, want ErrUnreachable: the good one is to be tried again", err)
	}
}
