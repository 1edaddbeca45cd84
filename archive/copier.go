// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/queue"
)

const (
	rest      = 500 * time.Millisecond // between two rounds with nothing to do
	restDown  = 2 * time.Second        // while the database, or Redis, is unreachable
	holdTime  = 15 * time.Second       // the lease of the copier; a round is far shorter
	batchJobs = 50                     // at once
	batchSize = 4 << 20                // Copier.batch: a batch that is not written within copyTimeout would be tried again for ever
	batchEach = 500                    // events at once
)

// Copier copies finished jobs and the audit from Redis. Of all copiers one works, by a lease, and the others wait for the lease to
// expire. One that does not know yet that its lease has expired writes nothing: see Archive.inCopierTx.
type Copier struct {
	archive *Archive
	queue   *queue.Queue
	log     zerolog.Logger
	name    string
	batch   int // bytes at once

	copied, refused, faults prometheus.Counter
	down                    bool // the last round failed
}

// NewCopier returns a Copier; Run starts it. Its metrics are registered with r.
func NewCopier(a *Archive, q *queue.Queue, log zerolog.Logger, r prometheus.Registerer) (*Copier, error) {
	own, err := a.forCopier()
	if err != nil {
		return nil, err
	}
	c := &Copier{archive: own, queue: q, log: log, name: rand.Text(), batch: batchSize,
		copied:  prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_archive_jobs_total", Help: "Jobs copied into the archive, or deleted from it."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_archive_refused_total", Help: "Jobs that the database rejected: they are not in the archive."}),
		faults:  prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_archive_failures_total", Help: "Rounds of copying that failed and are tried again: the database or Redis is unreachable."}),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ccee_archive_waiting", Help: "Jobs that wait for the archive; -1 while Redis is unreachable."}, func() float64 {
		n, err := q.CountUnarchived(context.Background())
		if err != nil {
			return -1
		}
		return float64(n)
	})
	for _, m := range []prometheus.Collector{c.copied, c.refused, c.faults, waiting} {
		if err := r.Register(m); err != nil {
			own.Close()
			return nil, fmt.Errorf("register the archive's metrics: %w", err)
		}
	}
	return c, nil
}

// Run copies until ctx ends, and closes c's connection to the database.
func (c *Copier) Run(ctx context.Context) {
	defer c.archive.Close()
	for {
		more, err := c.round(ctx)
		pause := rest
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.faults.Inc()
			if pause = restDown; !c.down {
				c.log.Warn().Err(err).Msg("nothing can be archived; finished jobs wait in Redis")
			}
		case c.down:
			c.log.Info().Msg("archiving again")
		}
		c.down = err != nil
		if more {
			continue
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// round copies one batch of jobs and one of events; more reports whether there are more.
func (c *Copier) round(ctx context.Context) (more bool, err error) {
	mine, err := c.queue.HoldArchive(ctx, c.name, holdTime)
	if err != nil || !mine {
		return false, err
	}
	at, err := c.archive.begin(ctx, c.name)
	if err != nil {
		return false, err
	}
	jobs, err := c.jobs(ctx)
	if err != nil {
		return false, exceptSuperseded(err)
	}
	events, err := c.events(ctx, at)
	return jobs || events, exceptSuperseded(err)
}

// exceptSuperseded is err, or nil when another copier has begun, which is no fault: the next round finds out who holds the lease.
func exceptSuperseded(err error) error {
	if errors.Is(err, errSuperseded) {
		return nil
	}
	return err
}

func (c *Copier) jobs(ctx context.Context) (more bool, err error) {
	list, err := c.queue.Unarchived(ctx, batchJobs)
	if err != nil || len(list) == 0 {
		return false, err
	}
	more = len(list) == batchJobs
	var changes []change
	for i, size := 0, 0; i < len(list); i++ {
		one, there, err := c.read(ctx, list[i])
		if err != nil {
			return false, err
		}
		if there {
			changes, size = append(changes, one), size+one.bytes()
		}
		if size >= c.batch && i+1 < len(list) {
			list, more = list[:i+1], true
		}
	}
	if err := c.write(ctx, changes); err != nil {
		return false, err
	}
	for _, u := range list {
		if err := c.queue.Archived(ctx, u); err != nil {
			return false, err
		}
	}
	c.copied.Add(float64(len(changes)))
	return more, nil
}

// read returns the change that u stands for; there is none when the job has expired, or runs again and will come back.
func (c *Copier) read(ctx context.Context, u queue.Unarchived) (one change, there bool, err error) {
	var s queue.Stored
	if !u.Deleted {
		if s, err = c.queue.Stored(ctx, u); err != nil || s == nil {
			return one, false, err
		}
	}
	one, err = newChange(u, s)
	return one, true, err
}

// write writes changes together or, when the database rejects one of them, each by itself: one must not hold up the others.
func (c *Copier) write(ctx context.Context, changes []change) error {
	if len(changes) == 0 {
		return nil
	}
	err := c.archive.write(ctx, c.name, changes)
	if !rejected(err) {
		return err
	}
	for _, one := range changes {
		switch err := c.archive.write(ctx, c.name, []change{one}); {
		case err == nil:
		case !rejected(err):
			return err
		default:
			c.refused.Inc()
			c.log.Error().Err(err).Str("job", one.ID).Str("tenant", one.Tenant).Msg("the job is not archived")
		}
	}
	return nil
}

func (c *Copier) events(ctx context.Context, at string) (more bool, err error) {
	events, at, err := c.queue.EventsAfter(ctx, at, batchEach)
	if err != nil || len(events) == 0 {
		return false, err
	}
	return len(events) == batchEach, c.archive.writeEvents(ctx, c.name, events, at)
}
