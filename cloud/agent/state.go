// SPDX-License-Identifier: Apache-2.0

package agent

import "time"

// step is what to ask the agent for.
type step int

const (
	keep step = iota // nothing
	protect
	release
)

// protectionState is what is known of the task's protection. The zero value is that of a task that nobody has protected.
type protectionState struct {
	protected bool
	renewAt   time.Time // if protected
	failures  int       // since the last step that succeeded
	retryAt   time.Time // not before, if failures > 0
}

// next returns the step that is due at a time, and for keep how long to wait at most for the next one; 0: until jobs come or go. busy is
// whether a job runs, idle how long none has run.
func (s *protectionState) next(busy bool, idle time.Duration, now time.Time) (step, time.Duration) {
	due := keep
	var pause time.Duration
	switch {
	case busy && !s.protected, s.protected && busy && !now.Before(s.renewAt):
		due = protect
	case busy:
		pause = s.renewAt.Sub(now)
	case s.protected && idle >= linger:
		due = release
	case s.protected:
		pause = linger - idle
	}
	if due != keep && s.failures > 0 && now.Before(s.retryAt) {
		return keep, s.retryAt.Sub(now)
	}
	return due, pause
}

// tried notes how a step that began at a time ended, and returns how long to wait for the next one at most.
func (s *protectionState) tried(step step, err error, began time.Time) (pause time.Duration) {
	if err != nil {
		pause = min(firstPause<<min(s.failures, 10), longestPause)
		s.failures++
		s.retryAt = began.Add(pause)
		return pause
	}
	s.failures, s.protected, s.renewAt = 0, step == protect, began.Add(renewAfter)
	if s.protected {
		return renewAfter
	}
	return 0
}
