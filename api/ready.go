// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// readiness is the answer of GET /ready: whether this api accepts jobs and, apart from that, whether they would run now. A load balancer
// goes by the first; by the second it would take out the last api just when jobs must be able to wait for workers that start.
type readiness struct {
	Status  string   `json:"status"` // "ready" or "unavailable"
	Service string   `json:"service"`
	Reasons []string `json:"reasons"` // why no job is accepted now
	running
}

// running is the part of an answer about the languages that can run now.
type running struct {
	CanRun    bool         `json:"canRun"`    // a job in one of Languages would run now
	Workers   *workersView `json:"workers"`   // nil: Redis, which knows, does not answer
	Languages []string     `json:"languages"` // that can run now, by name
	Warnings  []string     `json:"warnings"`  // why jobs that are accepted would wait
}

type workersView struct {
	Alive int `json:"alive"`
	Ready int `json:"ready"` // those whose daemon can run jobs
}

// readyAge is how long an answer about Redis and workers is used again: anybody may ask, as often as they like.
const readyAge = time.Second

// readyCache keeps the latest answer.
type readyCache struct {
	mu     sync.Mutex // guards the rest; held while Redis is asked, so that one asks for all
	fleet  queue.Fleet
	memory queue.Memory
	err    error
	at     time.Time
}

func (r *readyCache) get(s *Server) (queue.Fleet, queue.Memory, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < readyAge {
		return r.fleet, r.memory, r.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	if r.fleet, r.err = s.opts.Queue.Fleet(ctx); r.err == nil {
		r.memory, r.err = s.opts.Queue.Memory(ctx)
	}
	r.at = time.Now()
	s.redisOutage.note(&s.opts.Log, r.err, "not ready: redis does not answer", "ready: redis answers again")
	return r.fleet, r.memory, r.err
}

// getReady shows whether jobs are accepted and run: GET /ready. Redis is asked at most once in readyAge.
func (s *Server) getReady(c *call) {
	fleet, memory, err := s.ready.get(s)
	answer := readiness{Status: "ready", Service: "api", Reasons: s.whyUnready(fleet, err), running: s.running(c.r.Context(), fleet, err)}
	if err == nil && memory.Full() {
		answer.Warnings = append(answer.Warnings, "redis has too little memory left: no more jobs are admitted until some are deleted or expire; those that are there go on")
	}
	status := http.StatusOK
	if len(answer.Reasons) > 0 {
		answer.Status, status = "unavailable", http.StatusServiceUnavailable
	}
	c.json(status, answer)
}

// whyUnready returns the reasons why this api accepts no job now. fleet and err are the queue's.
func (s *Server) whyUnready(fleet queue.Fleet, err error) []string {
	reasons := []string{}
	switch {
	case err != nil:
		reasons = append(reasons, "redis does not answer: see that REDIS_URL is right and the server is up")
	case len(s.submit.Submittable(fleet)) == 0:
		reasons = append(reasons, submit.ErrNoRuntimes.Error())
	}
	return reasons
}

// running describes what can run now. fleet and err are the queue's.
func (s *Server) running(ctx context.Context, fleet queue.Fleet, err error) running {
	r := running{CanRun: err == nil && fleet.Ready > 0, Languages: []string{}, Warnings: []string{}}
	for _, l := range fleet.Now {
		r.Languages = append(r.Languages, l.Name)
	}
	if err == nil {
		r.Workers = &workersView{fleet.Workers, fleet.Ready}
		r.Warnings = append(r.Warnings, warnings(fleet)...)
	}
	if s.archive.unreachable(ctx, s.opts.Archive) {
		r.Warnings = append(r.Warnings, "the archive's database does not answer: what is finished waits in redis, and what only the archive has can't be shown")
	}
	return r
}

// warnings are the reasons why jobs would wait.
func warnings(f queue.Fleet) []string {
	var list []string
	switch {
	case f.Workers == 0:
		return append(list, "no worker is alive: jobs are accepted and wait for one")
	case f.Ready == 0:
		return append(list, fmt.Sprintf("%s, none has a daemon that can run jobs: they are accepted and wait", workers(f.Workers)))
	case f.Ready < f.Workers:
		list = append(list, fmt.Sprintf("%s, only %d with a daemon that can run jobs", workers(f.Workers), f.Ready))
	}
	if n := len(f.Warnings); n > 0 { // their texts name files of the hosts, and anybody may ask here
		list = append(list, fmt.Sprintf("%s, %d with warnings: see ccee language list", workers(f.Workers), n))
	}
	for _, l := range f.Known {
		if !submit.Offers(f.Now, l.Name) {
			list = append(list, fmt.Sprintf("no worker can run %s now: its jobs are accepted and wait", l.Name))
		}
	}
	for _, name := range f.Stuck {
		if !submit.Offers(f.Known, name) {
			list = append(list, fmt.Sprintf("no worker can run %.40s now: its jobs wait", name))
		}
	}
	return list
}

func workers(n int) string {
	if n == 1 {
		return "1 worker is alive"
	}
	return fmt.Sprintf("%d workers are alive", n)
}

// sweepEvery is how often an api does the housekeeping that must not depend on a worker.
const sweepEvery = 5 * time.Second

// sweep has the queue put back jobs of workers that died, and end those that waited too long for a language that nobody runs, until ctx
// ends. Each api does it: it is one step of the queue, and harmless to repeat.
func (s *Server) sweep(ctx context.Context) {
	var outage outageLog
	for ctx.Err() == nil {
		failed, err := s.opts.Queue.Sweep(ctx)
		if ctx.Err() != nil {
			return
		}
		outage.note(&s.opts.Log, err, "no job that nobody can run is ended: redis does not answer", "redis answers again")
		if failed > 0 {
			s.opts.Log.Warn().Int64("jobs", failed).Msg("failed jobs that waited too long: no worker offers their language")
			continue // there may be more
		}
		pause(ctx, sweepEvery)
	}
}
