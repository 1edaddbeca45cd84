// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"math/rand/v2"
	"time"
)

// pauses are the shortest and the longest pause after a refusal of each class that may pass. Quotas are freed when tasks end, and capacity
// comes in minutes; throttled calls have a bucket that fills at 20 a second.
var pauses = map[Class]struct{ first, last time.Duration }{
	Throttled: {time.Second, 30 * time.Second},
	Quota:     {10 * time.Second, 2 * time.Minute},
	Capacity:  {10 * time.Second, time.Minute},
	Lost:      {500 * time.Millisecond, 10 * time.Second},
}

// pauseAfter returns how long to wait after the nth refusal in a row, from 1: doubled each time, and half of it at random, so that the
// workers of a fleet don't come back together. again is false where waiting does not help. random(k) is in [0, k).
func pauseAfter(c Class, n int, random func(int64) int64) (d time.Duration, again bool) {
	p, again := pauses[c]
	if !again {
		return 0, false
	}
	d = p.first
	for i := 1; i < n && d < p.last; i++ {
		d *= 2
	}
	d = min(d, p.last)
	return d/2 + time.Duration(random(int64(d/2)+1)), true
}

func pauseAtRandom(c Class, n int) (d time.Duration, again bool) {
	return pauseAfter(c, n, rand.Int64N)
}
