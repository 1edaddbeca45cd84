// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"sync"

	"github.com/ccee-dev/ccee/share"
)

// shares keeps one tenant from holding all of a worker's slots, so that the others' jobs needn't wait until its own have ended: a
// share.Table behind a lock, which notifies when a job ends.
type shares struct {
	changed chan struct{} // a job has ended; holds one signal

	mu    sync.Mutex // guards table
	table *share.Table
}

// newShares divides that many slots. A tenant may hold percent of those that the others leave free, at least one.
func newShares(slots, percent int, changed chan struct{}) *shares {
	return &shares{changed: changed, table: share.New(int64(slots), int64(percent))}
}

func (s *shares) begin(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.Add(tenant, 1)
}

func (s *shares) end(tenant string) {
	s.mu.Lock()
	s.table.Add(tenant, -1)
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// full returns the tenants that hold as much as they may.
func (s *shares) full() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.Full()
}
