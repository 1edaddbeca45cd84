// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
)

// How often a worker checks its backend, and how long a check may take.
const (
	checkEvery   = 2 * time.Second
	checkTimeout = 5 * time.Second
)

// errUnchecked is the state of a backend that was not checked yet, or not since it failed a job.
var errUnchecked = errors.New("it was not checked yet")

// monitor is a backend with its state at the last check. Jobs are claimed only while the backend can run them, so that an outage costs
// them no attempt.
type monitor struct {
	Backend
	rechecks chan struct{} // holds one signal: check now
	metrics  *metrics
	backoff  backoff // while the backend is not ready; used by the one goroutine that calls check and pause

	mu     sync.Mutex // guards the rest
	now    state
	logged string // the last logged reason for not being ready; "" when ready was logged
}

// state is what a backend can do. It is never changed once it is made.
type state struct {
	err       error // why it can run nothing
	languages []job.Language
	names     []string
	warnings  []string
	queueWait time.Duration   // how long a job may wait in the backend
	runs      int             // how often the backend may begin it
	replaced  context.Context // ends when another state has replaced this one
	replace   context.CancelFunc
}

func newMonitor(b Backend, m *metrics) *monitor {
	return &monitor{Backend: b, rechecks: make(chan struct{}, 1), metrics: m, logged: errUnchecked.Error(), now: newState(nil, Readiness{}, errUnchecked)}
}

func newState(languages []job.Language, r Readiness, err error) state {
	s := state{err: err, languages: languages, warnings: r.Warnings, queueWait: cmp.Or(r.QueueWait, longestQueueWait), runs: max(1, r.Runs)}
	for _, l := range languages {
		s.names = append(s.names, l.Name)
	}
	s.replaced, s.replace = context.WithCancel(context.Background())
	return s
}

func (m *monitor) current() state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// check asks the backend for its state, and reports whether an announcement must be repeated.
func (m *monitor) check(ctx context.Context, log zerolog.Logger) (changed bool) {
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	ready, err := m.Ready(bounded)
	var languages []job.Language
	if err == nil {
		languages, err = m.Languages(bounded)
	}
	if err == nil && len(languages) == 0 {
		err = errors.New("it has no languages")
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		languages = nil
	}
	return m.set(newState(languages, ready, err), log)
}

// set makes next the current state. It logs what changed, once.
func (m *monitor) set(next state, log zerolog.Logger) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed = errors.Is(m.now.err, errUnchecked) || !slices.Equal(m.now.warnings, next.warnings) || !reflect.DeepEqual(m.now.languages, next.languages)
	before := m.logged
	switch {
	case next.err != nil:
		if m.logged = next.err.Error(); m.logged != before {
			log.Warn().Err(next.err).Msg("the backend is not ready: no jobs are claimed until it is")
		}
	default:
		if m.logged = ""; before != "" || changed && m.now.err == nil {
			log.Info().Strs("languages", next.names).Strs("warnings", next.warnings).Msg("backend ready")
		}
	}
	if m.metrics != nil {
		m.metrics.backendReady.Set(map[bool]float64{true: 1}[next.err == nil])
	}
	if changed || (m.now.err == nil) != (next.err == nil) || m.now.queueWait != next.queueWait {
		m.now.replace()
		m.now = next
	}
	return changed
}

// pause returns when it is time for the next check.
func (m *monitor) pause(ctx context.Context) {
	if m.current().err != nil {
		bounded, cancel := context.WithTimeout(ctx, checkEvery)
		defer cancel()
		m.backoff.wait(bounded)
		return
	}
	m.backoff = backoff{}
	t := time.NewTimer(checkEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-m.rechecks:
	case <-t.C:
	}
}

// recheck is called when the backend failed a job in a way in which it would probably fail others: none is claimed until it was checked.
func (m *monitor) recheck() {
	m.mu.Lock()
	if m.now.err == nil {
		m.now.replace()
		m.now = newState(m.now.languages, Readiness{Warnings: m.now.warnings, QueueWait: m.now.queueWait, Runs: m.now.runs}, errUnchecked)
	}
	m.mu.Unlock()
	select {
	case m.rechecks <- struct{}{}:
	default:
	}
}

// awaitReady waits until the backend can run jobs, and returns its state; ok is false when ctx ended.
func (m *monitor) awaitReady(ctx context.Context) (s state, ok bool) {
	for {
		s := m.current()
		if ctx.Err() != nil {
			return s, false
		}
		if s.err == nil {
			return s, true
		}
		select {
		case <-ctx.Done():
		case <-s.replaced.Done():
		}
	}
}

// vanished turns the refusal of a checker whose language the backend no longer has into that of the job's own language: both were offered
// when the job was claimed, and come back, or don't, in the same way.
func (m *monitor) vanished(ctx context.Context, spec job.Spec, err error) error {
	var e *job.Error
	if !errors.As(err, &e) || e.Code != job.EInvalid || e.Field != "checker" || spec.Tests == nil || spec.Tests.Checker == nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	languages, lerr := m.Languages(bounded)
	if lerr != nil || slices.ContainsFunc(languages, func(l job.Language) bool { return l.Name == spec.Tests.Checker.Language }) {
		return err
	}
	return job.Invalid("language", "of the checker is not offered any more: %s", e.Message)
}
