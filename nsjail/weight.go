// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// DefaultCPUWeight is the weight of a new sandbox.
const DefaultCPUWeight = 100

// maxCPUWeight is the kernel's largest cpu.weight; the smallest is 1.
const maxCPUWeight = 10_000

// priority is a cgroup's claim to CPU time while there is not enough for all: cpu.idle and cpu.weight. It has a lock because the weight may
// change while a program runs.
type priority struct {
	mu     sync.Mutex // guards all below, and the order of the writes
	idle   bool
	weight int64 // 0: DefaultCPUWeight
	ended  bool  // the sandbox was killed
}

// SetCPUWeight sets how much CPU time sb gets beside other sandboxes of the same parent cgroup while there is not enough for all:
// cpu.weight of cgroups(7), from 1 to 10000. Unlike the other methods it may be called while another one runs. On a sandbox that was killed
// it does nothing, nor where there is no cgroup: there it is alone.
func (sb *Sandbox) SetCPUWeight(weight int64) error {
	if weight < 1 || weight > maxCPUWeight {
		return fmt.Errorf("CPU weight %d: want 1 to %d", weight, maxCPUWeight)
	}
	cg := sb.cg
	if cg == nil {
		return nil
	}
	cg.cpu.mu.Lock()
	defer cg.cpu.mu.Unlock()
	old := cg.cpu.weight
	if old == 0 {
		old = DefaultCPUWeight
	}
	if cg.cpu.ended || weight == old {
		return nil
	}
	cg.cpu.weight = weight
	if cg.cpu.idle { // the kernel refuses a weight; setIdle writes it
		return nil
	}
	return cg.writeWeight(weight)
}

// setIdle writes cpu.idle. A kernel before Linux 5.15 has none, and no way to the same end. With the end of idle the kernel forgets the
// weight.
func (cg *cgroup) setIdle(idle bool) error {
	cg.cpu.mu.Lock()
	defer cg.cpu.mu.Unlock()
	if err := cg.writeIdle(idle); err != nil || idle || cg.cpu.weight == 0 {
		return err
	}
	return cg.writeWeight(cg.cpu.weight)
}

// endPriority gives the cgroup of a sandbox that is being killed the usual claim to CPU time. With the weight of one job among a hundred it
// might not be gone by the time that remove waits for, and its slot would be lost.
func (cg *cgroup) endPriority() error {
	cg.cpu.mu.Lock()
	defer cg.cpu.mu.Unlock()
	if cg.cpu.ended {
		return nil
	}
	cg.cpu.ended = true
	if cg.cpu.idle {
		return cg.writeIdle(false)
	}
	if cg.cpu.weight == 0 {
		return nil
	}
	return cg.writeWeight(DefaultCPUWeight)
}

// writeIdle does the work of setIdle. cg.cpu.mu must be held, as for writeWeight.
func (cg *cgroup) writeIdle(idle bool) error {
	w := write{cg.at.cpu, "cpu.idle", 0}
	if idle {
		w.value = 1
	}
	cg.cpu.idle = idle
	if err := w.to(w.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("set %s to %v: %w", w.file, w.value, err)
	}
	return nil
}

func (cg *cgroup) writeWeight(weight int64) error {
	w := weightWrite(cg.at.v2(), cg.at.cpu, weight)
	if err := w.to(w.dir); err != nil {
		return fmt.Errorf("set %s to %v: %w", w.file, w.value, err)
	}
	return nil
}
