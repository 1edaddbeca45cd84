// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"time"
)

// The first and the longest pause between two tries.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// backoff spaces tries: each pause is twice the one before, up to lastPause. The zero value is ready.
type backoff struct{ pause time.Duration }

// first reports whether wait was not called yet.
func (b *backoff) first() bool { return b.pause == 0 }

// wait pauses; false when ctx ended before.
func (b *backoff) wait(ctx context.Context) bool {
	b.pause = min(max(2*b.pause, firstPause), lastPause)
	t := time.NewTimer(b.pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
