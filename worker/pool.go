// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
)

const (
	findEvery   = 10 * time.Second
	findTimeout = 5 * time.Second
)

// PoolOptions are what a Pool needs.
type PoolOptions struct {
	Find    Finder
	Dial    func(address string) *client.Client // it connects when it is used
	Log     zerolog.Logger
	Metrics prometheus.Registerer // nil for none

	below func(n int) int // for tests; nil: random
}

// Pool is the Backend of many daemons, on this machine or others. A job goes to one that has its language and room for it. Daemons that
// are not ready, drain, are full or unreachable, or speak another protocol are left out, and checked again, more and more seldom.
type Pool struct {
	opts    PoolOptions
	metrics *poolMetrics
	changed chan struct{} // holds one signal: a member's state has changed

	mu      sync.Mutex // guards all below
	members map[string]*member
	found   bool  // the daemons were found once
	findErr error // why they could not be found last
}

// NewPool returns a Pool, whose Watch must run.
func NewPool(o PoolOptions) (*Pool, error) {
	m, err := newPoolMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	if o.below == nil {
		o.below = randomBelow
	}
	p := &Pool{opts: o, metrics: m, changed: make(chan struct{}, 1), members: map[string]*member{}}
	m.watch(p)
	return p, nil
}

// Watch finds daemons and checks them until ctx ends.
func (p *Pool) Watch(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	var b backoff
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, findTimeout)
		addresses, err := p.opts.Find.Find(bounded)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil && len(addresses) == 0 {
			err = errors.New("there are none")
		}
		p.update(ctx, &watching, addresses, err)
		if err != nil {
			b.wait(ctx)
			continue
		}
		b = backoff{}
		t := time.NewTimer(findEvery)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// update takes over what was found. Where nothing could be found, the daemons of before stay: they say themselves whether they are there.
func (p *Pool) update(ctx context.Context, watching *sync.WaitGroup, addresses []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before := p.findErr; err != nil && before == nil {
		p.opts.Log.Warn().Err(err).Msg("the daemons of the pool can't be found; trying again")
	}
	p.findErr = err
	if err != nil {
		return
	}
	p.found = true
	addresses = tidy(addresses)
	for address, m := range p.members {
		if !slices.Contains(addresses, address) {
			m.end()
			m.client.Close() // jobs that it runs go on
			p.metrics.forget(address)
			delete(p.members, address)
			p.opts.Log.Info().Str("daemon", address).Msg("a daemon has left the pool")
		}
	}
	for _, address := range addresses {
		if p.members[address] != nil {
			continue
		}
		c := p.opts.Dial(address)
		m := &member{address: address, client: c, daemon: &Local{c}, checks: make(chan struct{}, 1)}
		watched, end := context.WithCancel(ctx)
		m.end = end
		p.members[address] = m
		watching.Go(func() { m.watch(watched, func() { p.note(m) }) })
	}
}

// note logs that a daemon can run jobs now, or can't any more.
func (p *Pool) note(m *member) {
	if s, _ := m.now(); s.err != nil {
		p.opts.Log.Warn().Str("daemon", m.address).Err(s.err).Msg("a daemon of the pool is left out")
	} else {
		p.opts.Log.Info().Str("daemon", m.address).Str("version", s.capacity.Version).Str("tier", s.capacity.Tier).
			Int64("slots", s.capacity.Slots.Total).Msg("a daemon of the pool is ready")
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// list returns the members, by address.
func (p *Pool) list() []*member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(maps.Values(p.members), func(a, b *member) int { return cmp.Compare(a.address, b.address) })
}

// Ready returns an error while no daemon is ready. At the start it waits until one is, or all have been asked.
func (p *Pool) Ready(ctx context.Context) (Readiness, error) {
	for {
		r, asked, err := p.readiness()
		if err == nil || asked {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, err
		case <-p.changed:
		case <-time.After(firstPause): // nobody tells when the first list of daemons is there
		}
	}
}

// readiness sums up the daemons. asked reports whether all have answered, or not, since they were found.
func (p *Pool) readiness() (r Readiness, asked bool, err error) {
	p.mu.Lock()
	asked, err = p.found || p.findErr != nil, p.findErr
	p.mu.Unlock()
	if err != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the daemons of the pool can't be found: %v", err))
	}
	ready := 0
	for _, m := range p.list() {
		s, known := m.now()
		switch {
		case !known:
			asked = false
		case s.err != nil:
			r.Warnings = append(r.Warnings, fmt.Sprintf("the daemon at %s is left out: %v", m.address, s.err))
		default:
			ready++
			r.Slots += int(s.capacity.Slots.Total)
			r.QueueWait = max(r.QueueWait, time.Duration(s.ready.QueueWaitMs)*time.Millisecond)
			for _, w := range s.ready.Warnings {
				r.Warnings = append(r.Warnings, m.address+": "+w)
			}
		}
	}
	r.Runs, r.QueueWait = mostRuns, mostRefusals*r.QueueWait
	if ready == 0 {
		return Readiness{}, asked, job.Errorf(job.EUnavailable, "no daemon of the pool is ready: %s", sentence(r.Warnings))
	}
	return r, asked, nil
}

// Languages lists the languages of all daemons that are ready. Of one that several have, the description is that of the first.
func (p *Pool) Languages(context.Context) ([]job.Language, error) {
	all := map[string]job.Language{}
	for _, m := range p.list() {
		s, _ := m.now()
		if s.err != nil {
			continue
		}
		for _, l := range s.languages {
			if _, there := all[l.Name]; !there {
				all[l.Name] = l
			}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b job.Language) int { return cmp.Compare(a.Name, b.Name) }), nil
}
