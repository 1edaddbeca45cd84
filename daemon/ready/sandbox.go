// SPDX-License-Identifier: Apache-2.0

package ready

import (
	"context"

	"github.com/ccee-dev/ccee/nsjail"
)

// Jail is a sandbox as the pool makes it: an *nsjail.Sandbox, or a stand-in for tests. The pool itself calls Ready, Run, Alive and Close;
// the other methods are for the one who takes the sandbox.
type Jail interface {
	Run(context.Context, nsjail.Process) (nsjail.Result, error)
	Ready() error
	Alive() bool
	Dir() int
	SetCPUWeight(int64) error
	Retire()
	Close() error
}

// Sandbox is a prewarmed sandbox. Whoever takes it from the pool must close it.
type Sandbox struct {
	Jail
	pool  *Pool
	slot  int
	freed bool // the slot is back in the pool
}

// Retire retires the sandbox and gives its slot back: no process has the slot's ids any more, however long the files are kept.
func (s *Sandbox) Retire() {
	s.Jail.Retire()
	s.freeSlot()
}

// Close closes the sandbox and gives its slot back. If it could not be torn down, the slot's ids are never used again.
func (s *Sandbox) Close() error {
	if err := s.Jail.Close(); err != nil {
		return err
	}
	s.freeSlot()
	return nil
}

// freeSlot gives the slot back, once.
func (s *Sandbox) freeSlot() {
	if s.freed {
		return
	}
	s.freed = true
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.pool.freeSlots = append(s.pool.freeSlots, s.slot)
	s.pool.Nudge()
}
