// SPDX-License-Identifier: Apache-2.0

package worker

import "sync"

// share keeps one tenant from holding all of a worker's slots, so that the others' jobs needn't wait until its own have ended. A tenant
// may hold some percent of the slots that the other tenants leave free, at least one. So each further tenant lowers what every tenant may
// hold, and a slot stays free for the next one for longer than with a fixed number: the dynamic thresholds of shared-memory switches
// (Choudhury and Hahne 1998).
type share struct {
	slots   int
	percent int
	changed chan struct{} // a job has ended; holds one signal

	mu      sync.Mutex // guards all below
	running map[string]int
	all     int
}

func newShare(slots, percent int) *share {
	return &share{slots: slots, percent: percent, changed: make(chan struct{}, 1), running: map[string]int{}}
}

// part returns a share of some of the slots, whose changes are signalled on s.changed too.
func (s *share) part(slots int) *share {
	p := newShare(slots, s.percent)
	p.changed = s.changed
	return p
}

func (s *share) begin(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[tenant]++
	s.all++
}

func (s *share) end(tenant string) {
	s.mu.Lock()
	s.all--
	if s.running[tenant]--; s.running[tenant] == 0 {
		delete(s.running, tenant)
	}
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// full returns the tenants that hold as much as they may.
func (s *share) full() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var full []string
	for tenant, n := range s.running {
		left := s.slots - (s.all - n)
		if 100*n >= s.percent*left { // one more would be too many, rounded up
			full = append(full, tenant)
		}
	}
	return full
}
