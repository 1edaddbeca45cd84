// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Refused connections are logged up to refusalLines times in refusalSpan: whoever reaches the port can make as many as he likes.
const (
	refusalLines = 10
	refusalSpan  = time.Minute
)

// refusals logs refused connections.
type refusals struct {
	log zerolog.Logger

	mu      sync.Mutex // guards all below
	began   time.Time  // of the present span
	lines   int        // in it
	skipped int        // since the last line
}

// note logs one, or counts it for the next line.
func (r *refusals) note(err error, peer, reason string) {
	r.mu.Lock()
	now := time.Now()
	if now.Sub(r.began) > refusalSpan {
		r.began, r.lines = now, 0
	}
	if r.lines == refusalLines {
		r.skipped++
		r.mu.Unlock()
		return
	}
	r.lines++
	skipped := r.skipped
	r.skipped = 0
	r.mu.Unlock()
	r.log.Warn().AnErr("error", err).Str("peer", peer).Str("reason", reason).Int("notLogged", skipped).Msg("connection refused")
}
