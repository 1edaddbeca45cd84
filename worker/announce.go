package worker

import (
	"context"
	"time"
)

// How often a worker says what it can run, though nothing has changed, and how long its word holds.
const (
	announceEvery = 5 * time.Second
	announceTTL   = 15 * time.Second
)

// announce looks at the backend until ctx ends, and tells the queue which languages can be run now: at once when that changes, none while
// the backend is away. At its end it takes that back: no further job is taken.
func (w *Worker) announce(ctx context.Context) {
	var said time.Time
	var b backoff
	for ctx.Err() == nil {
		if changed := w.backend.look(ctx, w.log); changed || time.Since(said) >= announceEvery {
			err := w.queue.PublishRuntimes(ctx, w.opts.ID, w.backend.current().languages, announceTTL)
			switch {
			case err == nil:
				said, b = time.Now(), backoff{}
			case ctx.Err() == nil:
				if said = (time.Time{}); b.first() {
					w.log.Warn().Err(err).Msg("the languages can't be announced; trying again")
				}
				b.wait(ctx)
				continue
			}
		}
		w.backend.rest(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeGrace)
	defer cancel()
	_ = w.queue.PublishRuntimes(last, w.opts.ID, nil, 0) // else its word ends by itself
}
