package worker

import (
	"context"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// gate keeps the worker from claiming jobs that its backend can't run: each would use up an attempt. It is shut at the start
// and after the backend was out of reach, and opens when the backend says that it is ready.
type gate struct {
	backend Backend
	open    *atomic.Bool
}

func newGate(b Backend) gate { return gate{b, new(atomic.Bool)} }

func (g gate) shut() { g.open.Store(false) }

// pass returns true at once while the gate is open, else when the backend is ready; false when ctx ended.
func (g gate) pass(ctx context.Context, log zerolog.Logger) bool {
	if g.open.Load() {
		return true
	}
	var b backoff
	for {
		err := g.backend.Ready(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			g.open.Store(true)
			log.Info().Msg("backend ready")
			return true
		}
		if b.first() {
			log.Warn().Err(err).Msg("the backend is not ready: no jobs are taken until it is")
		}
		if !b.wait(ctx) {
			return false
		}
	}
}
