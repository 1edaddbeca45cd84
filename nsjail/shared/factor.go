package shared

import (
	"slices"
	"time"
)

// Factor is how much longer one thing took the canary beside an abuse than beside the control.
type Factor struct {
	What        string // "start a sandbox"
	Median, P99 time.Duration
	// Of the same beside the control.
	ControlMedian, ControlP99 time.Duration
}

// Above these a job harms others. A ratio alone would tell of what nobody notices: so many microseconds instead of so few.
const (
	worstMedian, leastMedian = 3, time.Millisecond
	worstP99, leastP99       = 5, 5 * time.Millisecond
)

// newFactor compares what was measured; there is nothing to compare if either is empty.
func newFactor(what string, abuse, control []time.Duration) Factor {
	return Factor{what, percentile(abuse, 50), percentile(abuse, 99), percentile(control, 50), percentile(control, 99)}
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

// Harms says whether the canary was held up more than a user of as much CPU time may hold it up.
func (f Factor) Harms() bool {
	return f.MedianRatio() > worstMedian && f.Median-f.ControlMedian > leastMedian || f.P99Ratio() > worstP99 && f.P99-f.ControlP99 > leastP99
}
