// SPDX-License-Identifier: Apache-2.0

package slots

import (
	"sync"
	"time"
)

// Load tells whether jobs keep the cores busy. How many jobs run does not: those that sleep, or that their CPU rate holds back, leave time
// to others.
type Load struct {
	cores   int
	cpuTime func() (time.Duration, error)

	mu   sync.Mutex // guards all below
	at   time.Time  // of the last reading
	used time.Duration
	busy bool
}

const (
	loadWindow = 100 * time.Millisecond // CPU times are compared over this long at least
	busyPart   = 0.75                   // of what the cores can do in a window
)

// NewLoad returns the load of jobs on that many cores. cpuTime returns the CPU time that all of them have used so far.
func NewLoad(cores int, cpuTime func() (time.Duration, error)) *Load {
	return &Load{cores: cores, cpuTime: cpuTime}
}

// Busy reports whether jobs used most of the cores' time since the last window began. It is true where that can't be read, and in the first
// window.
func (l *Load) Busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	window := now.Sub(l.at)
	if window < loadWindow {
		return l.busy
	}
	used, err := l.cpuTime()
	if err != nil {
		return true
	}
	l.busy = l.at.IsZero() || float64(used-l.used) >= busyPart*float64(l.cores)*float64(window)
	l.at, l.used = now, used
	return l.busy
}
