// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"fmt"
	"slices"
	"time"
)

// Factor is how much longer one thing took the canary beside an abuse than beside the control. Each time is the median of the windows,
// which a short load on the host does not change.
type Factor struct {
	What        string // "start a sandbox"
	Median, P99 time.Duration
	// Of the same beside the control.
	ControlMedian, ControlP99 time.Duration
	Harms                     bool // the canary was delayed more than a user of as much CPU time may delay it
}

// Bounds are the factors above which an abuse does harm.
type Bounds struct{ Median, P99 float64 }

// DefaultBounds returns the bounds within which a job may delay others: a burner of CPU time does so too, and times vary.
func DefaultBounds() Bounds { return Bounds{Median: 3, P99: 5} }

// Check reports bounds that make no sense: up to 1 the control would do harm.
func (b Bounds) Check() error {
	if !(b.Median > 1 && b.P99 > 1 && b.Median <= maxBound && b.P99 <= maxBound) {
		return fmt.Errorf("%v for the median and %v for the p99: they must be above 1 and at most %d", b.Median, b.P99, maxBound)
	}
	return nil
}

// maxBound is a factor that no user would call tolerable.
const maxBound = 1000

// Delays below these are none that anybody notices, whatever their factor is.
const (
	leastMedian = time.Millisecond
	leastP99    = 5 * time.Millisecond
)

// window is one thing's times in one window.
type window struct{ median, p99 time.Duration }

func newWindow(times []time.Duration) window {
	return window{percentile(times, 50), percentile(times, 99)}
}

// newFactor compares windows that were measured in pairs; there is nothing to compare if there are none. An abuse does harm if the
// medians of all windows show it and most pairs alone do (of the p99 more than half, since a long delay need not meet each window): a
// disk or a CPU that something else keeps busy for some seconds makes a few pairs unequal.
func newFactor(what string, abuse, control []window, b Bounds) Factor {
	f := Factor{What: what, Median: middle(abuse, window.m), P99: middle(abuse, window.p), ControlMedian: middle(control, window.m), ControlP99: middle(control, window.p)}
	f.Harms = b.median(f.Median, f.ControlMedian) && 3*pairs(abuse, control, window.m, b.median) >= 2*len(abuse) ||
		b.p99(f.P99, f.ControlP99) && 2*pairs(abuse, control, window.p, b.p99) > len(abuse)
	return f
}

// median reports whether a median beside an abuse is too long.
func (b Bounds) median(abuse, control time.Duration) bool {
	return ratio(abuse, control) > b.Median && abuse-control > leastMedian
}

// p99 is median for a p99.
func (b Bounds) p99(abuse, control time.Duration) bool {
	return ratio(abuse, control) > b.P99 && abuse-control > leastP99
}

// pairs counts the pairs of windows that are beyond a bound.
func pairs(abuse, control []window, of func(window) time.Duration, beyond func(abuse, control time.Duration) bool) (n int) {
	for i := range abuse {
		if i < len(control) && beyond(of(abuse[i]), of(control[i])) {
			n++
		}
	}
	return n
}

func (w window) m() time.Duration { return w.median }
func (w window) p() time.Duration { return w.p99 }

// middle returns the median of one figure of all windows.
func middle(all []window, of func(window) time.Duration) time.Duration {
	times := make([]time.Duration, len(all))
	for i, w := range all {
		times[i] = of(w)
	}
	return percentile(times, 50)
}

// percentile is the smallest of the times that p percent of them don't exceed (nearest rank); 0 of none.
func percentile(times []time.Duration, p int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)*p+99)/100-1]
}

// MedianRatio is Median as a multiple of ControlMedian.
func (f Factor) MedianRatio() float64 { return ratio(f.Median, f.ControlMedian) }

// P99Ratio is P99 as a multiple of ControlP99.
func (f Factor) P99Ratio() float64 { return ratio(f.P99, f.ControlP99) }

func ratio(a, b time.Duration) float64 {
	if b <= 0 { // nothing was measured, or by a clock that stood still
		return 1
	}
	return float64(a) / float64(b)
}
