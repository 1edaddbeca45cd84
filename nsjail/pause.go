// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// handles are what the daemon holds of a program: a run has them, and between two runs the sandbox, if the program has stopped itself. All
// of the threads of a paused program stand still: it uses no CPU time.
type handles struct {
	streams  *streams
	listener int      // of its filter while nobody answers it, or -1
	filter   []byte   // that it was started with
	rlimits  []Rlimit // the same
}

// check refuses a Process as which the paused program can't go on.
func (h *handles) check(p Process) error {
	if h != nil && !bytes.Equal(h.filter, p.Seccomp) {
		return errors.New("sandbox process: another seccomp filter than the paused program has")
	}
	return nil
}

// limited is p with the rlimits for a program that goes on. RLIMIT_CPU counts from its start, the step's time does not. And a program that
// may pause again keeps its hard limits: they can't be raised any more, and the step after this one may have more.
func (h *handles) limited(p Process, used time.Duration) Process {
	p.Rlimits = slices.Clone(p.Rlimits)
	for i := range p.Rlimits {
		r := &p.Rlimits[i]
		if r.Type == unix.RLIMIT_CPU {
			seconds := uint64((used + time.Second - 1) / time.Second)
			r.Soft, r.Hard = r.Soft+seconds, r.Hard+seconds
		}
		at := slices.IndexFunc(h.rlimits, func(o Rlimit) bool { return o.Type == r.Type })
		if p.MayPause && at >= 0 {
			r.Hard = h.rlimits[at].Hard
		}
	}
	return p
}

// takeListener returns the listener, which then is the caller's, or -1.
func (h *handles) takeListener() int {
	fd := h.listener
	h.listener = -1
	return fd
}

// Close closes the pipes and the listener.
func (h *handles) Close() {
	h.streams.Close()
	if h.listener >= 0 {
		unix.Close(h.listener)
	}
}
