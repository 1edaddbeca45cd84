// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"time"
)

// How often a worker announces its languages while nothing changes, and how long an announcement holds.
const (
	announceEvery = 5 * time.Second
	announceTTL   = 15 * time.Second
)

// announce checks the backend until ctx ends and publishes the languages that can be run now: at once when they change, none while the
// backend is not ready. At its end it withdraws them: the worker claims no further job.
func (w *Worker) announce(ctx context.Context) {
	var published time.Time
	var b backoff
	for ctx.Err() == nil {
		if changed := w.backend.check(ctx, w.log); changed || time.Since(published) >= announceEvery {
			now := w.backend.current()
			err := w.queue.PublishRuntimes(ctx, w.opts.ID, now.languages, announceTTL, now.warnings...)
			switch {
			case err == nil:
				published, b = time.Now(), backoff{}
			case ctx.Err() == nil:
				if published = (time.Time{}); b.first() {
					w.log.Warn().Err(err).Msg("the languages can't be announced; trying again")
				}
				b.wait(ctx)
				continue
			}
		}
		w.backend.pause(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeGrace)
	defer cancel()
	_ = w.queue.PublishRuntimes(last, w.opts.ID, nil, 0) // if this fails, the announcement expires
}
