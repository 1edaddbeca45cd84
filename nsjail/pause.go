package nsjail

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// paused is a program that has stopped itself, and what it needs to go on. All of its threads stand still: it uses no CPU time.
type paused struct {
	streams  *streams
	listener int // of its filter, or -1
	filter   []byte
	rlimits  []Rlimit // that it was started with
}

// check refuses a Process as which the program can't go on.
func (was *paused) check(p Process) error {
	if was != nil && !bytes.Equal(was.filter, p.Seccomp) {
		return errors.New("sandbox process: another seccomp filter than the paused program has")
	}
	return nil
}

// limited is p with the rlimits for a program that goes on. RLIMIT_CPU counts from its start, the step's time does not. And what may pause
// again keeps its hard limits: they can't be raised any more, and the step after this one may have more.
func (was *paused) limited(p Process, used time.Duration) Process {
	p.Rlimits = slices.Clone(p.Rlimits)
	for i := range p.Rlimits {
		r := &p.Rlimits[i]
		if r.Type == unix.RLIMIT_CPU {
			seconds := uint64((used + time.Second - 1) / time.Second)
			r.Soft, r.Hard = r.Soft+seconds, r.Hard+seconds
		}
		at := slices.IndexFunc(was.rlimits, func(o Rlimit) bool { return o.Type == r.Type })
		if p.MayPause && at >= 0 {
			r.Hard = was.rlimits[at].Hard
		}
	}
	return p
}

// Close gives up the program's pipes and its listener, which may be somebody else's by now.
func (was *paused) Close() {
	was.streams.Close()
	if was.listener >= 0 {
		unix.Close(was.listener)
	}
}

// take returns the listener, which then is the caller's.
func (was *paused) take() int {
	fd := was.listener
	was.listener = -1
	return fd
}
