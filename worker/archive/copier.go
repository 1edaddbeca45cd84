package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"ccee/worker/queue"
)

const (
	rest      = 500 * time.Millisecond // between two rounds with nothing to do
	restAway  = 2 * time.Second        // when the database, or Redis, is away
	holdTime  = 15 * time.Second       // the lease of the copier; a round is far shorter
	batchJobs = 50                     // at once; each may have megabytes
	batchEach = 500                    // events at once
)

// Copier brings over what waits in Redis. Of all that run, one works and the others wait for its lease to end.
type Copier struct {
	archive *Archive
	queue   *queue.Queue
	log     zerolog.Logger
	name    string

	copied, refused prometheus.Counter
	away            bool
}

// NewCopier returns a Copier; Run starts it. Its metrics are registered with r.
func NewCopier(a *Archive, q *queue.Queue, log zerolog.Logger, r prometheus.Registerer) (*Copier, error) {
	c := &Copier{archive: a, queue: q, log: log, name: rand.Text(),
		copied:  prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_archive_jobs_total", Help: "Jobs brought into the archive, or out of it."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_archive_refused_total", Help: "Jobs that the database refused: they are not in the archive."}),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ccee_archive_waiting", Help: "Jobs that wait for the archive; -1 when Redis is away."}, func() float64 {
		n, err := q.CountUnarchived(context.Background())
		if err != nil {
			return -1
		}
		return float64(n)
	})
	for _, m := range []prometheus.Collector{c.copied, c.refused, waiting} {
		if err := r.Register(m); err != nil {
			return nil, fmt.Errorf("register the archive's metrics: %w", err)
		}
	}
	return c, nil
}

// Run copies until ctx ends.
func (c *Copier) Run(ctx context.Context) {
	for {
		more, err := c.round(ctx)
		pause := rest
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if pause = restAway; !c.away {
				c.log.Warn().Err(err).Msg("nothing can be archived; what is finished waits in Redis")
			}
		case c.away:
			c.log.Info().Msg("archiving again")
		}
		c.away = err != nil
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

// round copies one batch of each; more says that there is more.
func (c *Copier) round(ctx context.Context) (more bool, err error) {
	mine, err := c.queue.HoldArchive(ctx, c.name, holdTime)
	if err != nil || !mine {
		return false, err
	}
	jobs, err := c.jobs(ctx)
	if err != nil {
		return false, err
	}
	events, err := c.events(ctx)
	return jobs || events, err
}

func (c *Copier) jobs(ctx context.Context) (more bool, err error) {
	list, err := c.queue.Unarchived(ctx, batchJobs)
	if err != nil || len(list) == 0 {
		return false, err
	}
	stored, err := c.queue.Stored(ctx, list)
	if err != nil {
		return false, err
	}
	var changes []change
	for i, u := range list {
		if u.Deleted || stored[i] != nil { // else it is gone, or runs again and will come back
			changes = append(changes, change{u, stored[i]})
		}
		if u.Deleted {
			changes[len(changes)-1].stored = nil
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
	return len(list) == batchJobs, nil
}

// write writes changes together or, when the database refuses one of them, each by itself: one must not hold up the others.
func (c *Copier) write(ctx context.Context, changes []change) error {
	if len(changes) == 0 {
		return nil
	}
	err := c.archive.write(ctx, changes)
	if err == nil || errors.Is(err, ErrAway) {
		return err
	}
	for _, one := range changes {
		switch err := c.archive.write(ctx, []change{one}); {
		case err == nil:
		case errors.Is(err, ErrAway):
			return err
		default:
			c.refused.Inc()
			c.log.Error().Err(err).Str("job", one.ID).Str("tenant", one.Tenant).Msg("the job is not archived")
		}
	}
	return nil
}

func (c *Copier) events(ctx context.Context) (more bool, err error) {
	at, err := c.archive.copied(ctx)
	if err != nil {
		return false, err
	}
	events, at, err := c.queue.EventsAfter(ctx, at, batchEach)
	if err != nil || len(events) == 0 {
		return false, err
	}
	return len(events) == batchEach, c.archive.writeEvents(ctx, events, at)
}
