// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
)

const (
	// memberTimeout is how long a daemon of a pool may take to say how it is. One that takes longer is left out: jobs would wait likewise.
	memberTimeout = 2 * time.Second
	// memberBusy is how long a daemon that had no room for a job is left out, unless all are.
	memberBusy = 500 * time.Millisecond
)

// member is a daemon of a pool.
type member struct {
	address string
	daemon  *Local
	client  *client.Client
	checks  chan struct{} // holds one signal: check now
	end     context.CancelFunc

	mu        sync.Mutex // guards all below
	state     memberState
	known     bool      // it was checked
	busyUntil time.Time // it refused a job for want of room
	mine      room      // what jobs of this worker take there
}

// memberState is what a daemon said of itself.
type memberState struct {
	err       error // why it runs nothing now
	ready     client.Readiness
	capacity  job.Capacity
	languages []job.Language
	mine      room // member.mine when it was asked
}

// watch checks the daemon until ctx ends, more and more seldom while it is not there.
func (m *member) watch(ctx context.Context, changed func()) {
	var b backoff
	for ctx.Err() == nil {
		s := m.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		m.mu.Lock()
		news := !m.known || (s.err == nil) != (m.state.err == nil)
		m.state, m.known = s, true
		m.mu.Unlock()
		if news {
			changed()
		}
		if s.err != nil {
			b.wait(ctx)
			continue
		}
		b = backoff{}
		m.pause(ctx)
	}
}

// pause returns when it is time for the next check of a daemon that is ready.
func (m *member) pause(ctx context.Context) {
	t := time.NewTimer(checkEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-m.checks:
	case <-t.C:
	}
}

// ask asks the daemon how it is.
func (m *member) ask(ctx context.Context) (s memberState) {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	m.mu.Lock()
	s.mine = m.mine
	m.mu.Unlock()
	if s.capacity, s.err = m.client.Capacity(ctx); s.err != nil {
		return s
	}
	if v := s.capacity.Protocol; !job.SpeaksWith(v) {
		s.err = fmt.Errorf("it speaks version %d of the protocol, this worker %d: they may differ by one", v, job.Protocol)
		return s
	}
	if s.capacity.Draining {
		s.err = errors.New("it is draining")
		return s
	}
	if s.ready, s.err = m.client.Readiness(ctx); s.err != nil {
		return s
	}
	if s.languages, s.err = m.client.Languages(ctx); s.err == nil && len(s.languages) == 0 {
		s.err = errors.New("it has no languages")
	}
	return s
}

// leaveOut notes why the daemon can't run jobs, and has it checked.
func (m *member) leaveOut(err error) {
	m.mu.Lock()
	m.state.err = err
	m.mu.Unlock()
	m.check()
}

// full notes that the daemon had no room for a job.
func (m *member) full() {
	m.mu.Lock()
	m.busyUntil = time.Now().Add(memberBusy)
	m.mu.Unlock()
	m.check()
}

func (m *member) check() {
	select {
	case m.checks <- struct{}{}:
	default:
	}
}

// reserve counts a job of this worker there, until release is called.
func (m *member) reserve(need room) (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mine = m.mine.plus(need, 1)
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.mine = m.mine.plus(need, -1)
	})
}

// now returns the state and whether it was ever asked for.
func (m *member) now() (memberState, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.known
}

// offer describes the daemon as a candidate for a job. why is set if it can't have it now: full if only for want of room.
func (m *member) offer(spec *job.Spec) (c candidate, full bool, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state
	switch {
	case !m.known:
		return c, false, errUnchecked
	case s.err != nil:
		return c, false, s.err
	}
	for _, name := range wanted(spec) {
		if !offers(s.languages, name) {
			return c, false, fmt.Errorf("it has no %.40s", name)
		}
	}
	if time.Now().Before(m.busyUntil) {
		return c, true, errors.New("it had no room a moment ago")
	}
	free := func(a job.Amount) int64 { return a.Free }
	total := func(a job.Amount) int64 { return a.Total }
	of := func(part func(job.Amount) int64) room {
		return room{part(s.capacity.Slots), part(s.capacity.MemoryBytes), part(s.capacity.CPUMillicores)}
	}
	// What this worker has begun or ended there since it asked.
	since := m.mine.plus(s.mine, -1)
	language := named(s.languages, spec.Language).Name
	warm := slices.ContainsFunc(s.capacity.Images, func(i job.ImageCapacity) bool { return i.Language == language && i.Ready > 0 })
	return candidate{total: of(total), free: of(free).plus(since, -1), waiting: s.capacity.Waiting, warm: warm}, false, nil
}

// wanted are the languages that a job needs.
func wanted(spec *job.Spec) []string {
	names := []string{spec.Language}
	if spec.Tests != nil && spec.Tests.Checker != nil {
		names = append(names, spec.Tests.Checker.Language)
	}
	return names
}

func offers(languages []job.Language, name string) bool {
	same := func(s string) bool { return strings.EqualFold(s, name) }
	return slices.ContainsFunc(languages, func(l job.Language) bool { return same(l.Name) || slices.ContainsFunc(l.Aliases, same) })
}
