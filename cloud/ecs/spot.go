// SPDX-License-Identifier: Apache-2.0

package ecs

import "time"

// When Spot capacity is left out.
const (
	spotFailures = 3               // launches in a row that found none
	spotRest     = 5 * time.Minute // for which it is then left out; one launch tries it again after that
	spotProbe    = 5 * time.Minute // after which another launch tries, when nothing was heard of the first
)

// spotState decides whether the next task may be a Spot task. It is a value: each method returns the next state.
//
//	open --3 failures--> resting --after spotRest, to one launch--> probing --worked--> open
//	                        ^                                          |
//	                        +-------------------failed-----------------+
type spotState struct {
	failures int       // in a row
	until    time.Time // resting or probing; zero: open
}

// choose reports whether a launch at that time tries Spot.
func (s spotState) choose(now time.Time) (spotState, bool) {
	switch {
	case s.until.IsZero():
		return s, true
	case now.Before(s.until):
		return s, false
	}
	s.until = now.Add(spotProbe) // everybody else waits for what this one finds
	return s, true
}

// failed notes that Spot had no capacity for a launch.
func (s spotState) failed(now time.Time) spotState {
	s.failures++
	if s.failures >= spotFailures {
		s.until = now.Add(spotRest)
	}
	return s
}

// worked notes that a Spot task runs.
func (s spotState) worked() spotState { return spotState{} }
