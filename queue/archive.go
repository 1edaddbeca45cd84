// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// archiveTTL is how long a finished job waits for an unreachable archive, and how long after the last HoldArchive finished jobs still
// wait for an archive.
const archiveTTL = 7 * 24 * time.Hour

// Unarchived is a finished job that is to be copied into the archive or, if Deleted, removed from it.
type Unarchived struct {
	ID, Tenant string
	Deleted    bool

	score float64
}

// HoldArchive takes or renews the lease of the one caller that archives, for d, and reports whether the caller has it. From now on
// finished jobs wait for the archive.
func (q *Queue) HoldArchive(ctx context.Context, holder string, d time.Duration) (bool, error) {
	v, err := q.run(ctx, q.steps.holdArchive, "hold the archive", holder, d.Milliseconds(), seconds(archiveTTL))
	return integer(v) == 1, err
}

// Unarchived returns the first n jobs that wait for the archive.
func (q *Queue) Unarchived(ctx context.Context, n int) ([]Unarchived, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	zs, err := q.rdb.ZRangeWithScores(ctx, q.keys.of("UNARCHIVED"), 0, int64(n-1)).Result()
	if err != nil {
		return nil, q.explain("read the jobs that wait for the archive", err)
	}
	list := make([]Unarchived, len(zs))
	for i, z := range zs {
		list[i].ID, list[i].Tenant, _ = strings.Cut(text(z.Member), " ")
		list[i].score, list[i].Deleted = z.Score, z.Score < 0
	}
	return list, nil
}

// CountUnarchived returns how many jobs wait for the archive.
func (q *Queue) CountUnarchived(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	n, err := q.rdb.ZCard(ctx, q.keys.of("UNARCHIVED")).Result()
	return n, q.explain("count the jobs that wait for the archive", err)
}

// Archived records that the archive has a job, or no longer has it, as in u. A job that changed meanwhile still waits.
func (q *Queue) Archived(ctx context.Context, u Unarchived) error {
	_, err := q.run(ctx, q.steps.archived, "note that job "+u.ID+" is archived", u.ID, u.Tenant, u.score)
	return err
}

// Stored is everything that is stored of a job: the fields of its hash, unpacked. It is the form in which the archive keeps jobs, as it
// loses nothing; Record is what readers get of it.
type Stored map[string]string

// Stored returns everything that is stored of a finished job; nil if there is none. It may be megabytes, for which submissions must not
// wait, so it doesn't go in a batch.
func (q *Queue) Stored(ctx context.Context, u Unarchived) (Stored, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	h, err := q.rdb.HGetAll(ctx, q.keys.job(u.ID)).Result()
	if err != nil || !State(h["status"]).Final() || h["tenantId"] != u.Tenant {
		return nil, q.explain("read job "+u.ID, err)
	}
	for _, f := range []string{"result", "outputFiles"} {
		if s, there := h[f]; there {
			h[f] = string(unpack(s)) // the database compresses by itself, and keeps what any version can read
		}
	}
	return h, nil
}

// Record returns the job as readers get it.
func (s Stored) Record() Record { return hash(s).record() }

// Summary returns s without the large fields: source, input and output. The result in its Record has no steps.
func (s Stored) Summary() Stored {
	short := Stored{}
	for _, f := range summaryFields {
		if v, there := s[f]; there {
			short[f] = v
		}
	}
	return short
}

// Source returns the job's source code.
func (s Stored) Source() string { return s["sourceCode"] }

// SetAnalysis sets the job's analysis.
func (s Stored) SetAnalysis(a Analysis) {
	at := a.UpdatedAt.UTC().Format("2006-01-02T15:04:05.000Z")
	s["analysis"], s["analysisProvider"], s["analysisFallbackReason"] = string(a.Report), a.Provider, a.FallbackReason
	s["analysisUpdatedAt"], s["updatedAt"] = at, at
}

// Submission returns what the job was submitted with.
func (s Stored) Submission() (Submission, error) {
	return hash(s).submission(s["jobId"], s["tenantId"])
}

// EventsAfter returns at most n events of all tenants behind the place after ("": from the oldest), the oldest first, and the place of
// the last.
func (q *Queue) EventsAfter(ctx context.Context, after string, n int) ([]Event, string, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	from := "-"
	if after != "" {
		from = nextID(after)
	}
	msgs, err := q.rdb.XRangeN(ctx, q.keys.of("AUDIT"), from, "+", int64(n)).Result()
	if err != nil {
		return nil, after, q.explain("read the audit", err)
	}
	events := eventsOf(msgs)
	for i, m := range msgs {
		after = m.ID
		events[i].StreamID = text(m.Values["trail"])
		events[i].Metadata = []byte(text(m.Values["metadata"])) // as it was hashed
	}
	return events, after, nil
}

// VerifyArchived is Verify for a trail that is kept elsewhere; each calls its argument with each event in order.
func VerifyArchived(anchor Anchor, each func(func(Event) error) error) (Chain, error) {
	var c Chain
	err := each(func(e Event) error {
		if err := c.add(&e, string(e.Metadata)); err != nil {
			return err
		}
		if c.Last == anchor.Number && c.Hash != anchor.Hash {
			return fmt.Errorf("%w: entry %d has hash %s, it had %s", ErrBroken, c.Last, c.Hash, anchor.Hash)
		}
		return nil
	})
	switch {
	case err != nil:
	case c.Events == 0:
		err = anchor.missing()
	case anchor.Number > c.Last:
		err = fmt.Errorf("%w: it ends with entry %d, there was one with number %d", ErrBroken, c.Last, anchor.Number)
	}
	return c, err
}
