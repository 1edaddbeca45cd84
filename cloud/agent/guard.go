// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	protectMinutes = 10               // a process that is killed leaves its task protected for that long at most
	renewAfter     = 5 * time.Minute  // while jobs run
	linger         = 30 * time.Second // without a job, before the protection is ended: jobs come and go faster than ECS is to be asked
	firstPause     = time.Second      // before another try, doubled before each further one
	longestPause   = time.Minute
)

// protector is a *Client.
type protector interface {
	Protect(ctx context.Context, minutes int) (until time.Time, err error)
}

// Guard protects the task while at least one job runs.
type Guard struct {
	agent   protector
	log     zerolog.Logger
	changed chan struct{} // holds one signal: jobs has changed from or to 0

	mu        sync.Mutex // guards the rest
	jobs      int
	idleSince time.Time // when jobs became 0
}

// NewGuard returns a Guard; Run starts it.
func NewGuard(agent protector, log zerolog.Logger) *Guard {
	return &Guard{agent: agent, log: log, changed: make(chan struct{}, 1)}
}

// Hold is called when a job begins, and what it returns once when the job has ended. Neither waits.
func (g *Guard) Hold() (release func()) {
	g.count(1)
	return sync.OnceFunc(func() { g.count(-1) })
}

func (g *Guard) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.jobs
	if g.jobs += n; g.jobs == 0 {
		g.idleSince = time.Now()
	}
	if before == 0 || g.jobs == 0 {
		select {
		case g.changed <- struct{}{}:
		default:
		}
	}
}

// Run sets the protection until ctx ends. Then it leaves it as it is: the task is about to be stopped, and its jobs may still run.
func (g *Guard) Run(ctx context.Context) {
	s := protectionState{}
	for ctx.Err() == nil {
		g.mu.Lock()
		busy, idle := g.jobs > 0, time.Since(g.idleSince)
		g.mu.Unlock()
		step, pause := s.next(busy, idle, time.Now())
		if step != keep {
			pause = g.try(ctx, &s, step)
		}
		var timer <-chan time.Time // nil: only a job can change anything
		if pause > 0 {
			timer = time.After(pause)
		}
		select {
		case <-ctx.Done():
		case <-timer:
		case <-g.changed:
		}
	}
}

// try asks the agent for one step, and returns how long to wait for the next one at most.
func (g *Guard) try(ctx context.Context, s *protectionState, step step) (pause time.Duration) {
	minutes := 0
	if step == protect {
		minutes = protectMinutes
	}
	began := time.Now()
	until, err := g.agent.Protect(ctx, minutes)
	if ctx.Err() != nil {
		return 0
	}
	switch {
	case err != nil && s.failures == 0:
		g.log.Warn().Err(err).Msg("the task's protection from scale-in can't be changed; trying again")
	case err == nil && s.failures > 0:
		g.log.Info().Msg("the task's protection from scale-in can be changed again")
	case err == nil:
		g.log.Debug().Bool("protected", minutes > 0).Time("until", until).Msg("task protection")
	}
	return s.tried(step, err, began)
}
