// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Each pause is twice the one before, up to five seconds, and ends with the context.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b backoff
		if !b.first() {
			t.Error("nothing was tried, and the first try is over")
		}
		var got []time.Duration
		for range 10 {
			start := time.Now()
			if !b.wait(t.Context()) {
				t.Error("wait says that the context ended")
			}
			got = append(got, time.Since(start))
		}
		const ms = time.Millisecond
		if want := []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 5000 * ms}; !slices.Equal(got, want) {
			t.Errorf("pauses of %v, want %v", got, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if start := time.Now(); b.first() || b.wait(ctx) || time.Since(start) != 0 {
			t.Errorf("first %v; with a context that has ended wait took %v", b.first(), time.Since(start))
		}
	})
}
