package worker

import (
	"context"
	"time"

	"ccee/api/job"
)

// How often a worker says what it can run, and how long its word holds.
const (
	announceEvery = 15 * time.Second
	announceTTL   = 60 * time.Second
)

// announce tells the queue until ctx ends which languages the backend offers. While the backend is away the last known list
// stays: jobs for it can be admitted and wait.
func (w *Worker) announce(ctx context.Context) {
	var langs []job.Language
	for ctx.Err() == nil {
		var b backoff
		for { // until it worked once; the API serves nothing before
			fresh, err := w.backend.Languages(ctx)
			if err == nil {
				langs = fresh
			}
			if langs != nil {
				err = w.queue.PublishRuntimes(ctx, w.opts.ID, langs, announceTTL)
			}
			if err == nil {
				break
			}
			if b.first() && ctx.Err() == nil {
				w.log.Warn().Err(err).Msg("the languages can't be announced; trying again")
			}
			if !b.wait(ctx) {
				return
			}
		}
		t := time.NewTimer(announceEvery)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}
