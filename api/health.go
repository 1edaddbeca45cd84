package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"ccee/api/job"
	"ccee/worker/queue"
)

// health is the answer of GET /health: liveness, so it asks nobody.
type health struct {
	Status  string `json:"status"`
	Service string `json:"service"`
}

func (s *Server) getHealth(c *call) { c.json(http.StatusOK, health{"ok", "api"}) }

// readyAge is how long a look at Redis and workers is used again: anybody may ask, as often as they like.
const readyAge = time.Second

// readyCache keeps the latest look.
type readyCache struct {
	mu    sync.Mutex // guards the rest; held while Redis is asked, so that one asks for all
	known []job.Language
	err   error
	at    time.Time
}

func (r *readyCache) get(read func(context.Context) ([]job.Language, error)) ([]job.Language, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) >= readyAge {
		ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
		defer cancel()
		r.known, r.err = read(ctx)
		r.at = time.Now()
	}
	return r.known, r.err
}

// readiness is the answer of GET /ready.
type readiness struct {
	Status  string   `json:"status"` // "ready" or "unavailable"
	Service string   `json:"service"`
	Reasons []string `json:"reasons"` // why a job could not run now
}

// getReady says whether a job that is submitted now would be run: Redis answers and workers have told which languages they
// run. It asks at most once in readyAge.
func (s *Server) getReady(c *call) {
	languages, err := s.ready.get(s.opts.Queue.Runtimes)
	answer := readiness{Status: "ready", Service: "api", Reasons: []string{}}
	switch {
	case err != nil:
		c.log.Warn().Err(err).Str("traceId", c.trace).Msg("not ready")
		answer.Reasons = append(answer.Reasons, "redis does not answer: see that REDIS_URL is right and the server is up")
	case len(languages) == 0:
		answer.Reasons = append(answer.Reasons, errNoRuntimes.Error())
	}
	status := http.StatusOK
	if len(answer.Reasons) > 0 {
		answer.Status, status = "unavailable", http.StatusServiceUnavailable
	}
	c.json(status, answer)
}

// summary is the answer of GET /health/summary.
type summary struct {
	Status      string      `json:"status"`
	Service     string      `json:"service"`
	Queue       queueView   `json:"queue"`
	Autoscaling autoscaling `json:"autoscaling"`
	UpdatedAt   *stamp      `json:"updatedAt"`
}

type queueView struct {
	Pending int64      `json:"pending"`
	Counts  countsView `json:"counts"`
}

// countsView has the names of the queue library under the original. Ours has no paused and no parent jobs, and counts jobs
// with a priority as waiting.
type countsView struct {
	Waiting         int64 `json:"waiting"`
	Active          int64 `json:"active"`
	Delayed         int64 `json:"delayed"`
	Paused          int64 `json:"paused"`
	Prioritized     int64 `json:"prioritized"`
	WaitingChildren int64 `json:"waiting-children"`
	Failed          int64 `json:"failed"`
	Completed       int64 `json:"completed"`
}

type autoscaling struct {
	QueueDepthTarget int `json:"queueDepthTarget"`
}

// getSummary shows how many jobs there are in which state, as of two seconds ago at most.
func (s *Server) getSummary(c *call) {
	f, err := s.fleet.get(s)
	if err != nil {
		c.unavailable(err)
		return
	}
	c.json(http.StatusOK, summary{
		Status: "ok", Service: "api", Queue: viewCounts(f.counts),
		Autoscaling: autoscaling{s.opts.QueueDepthTarget}, UpdatedAt: stampOrNull(f.at),
	})
}

func viewCounts(n queue.Counts) queueView {
	return queueView{
		Pending: n.Waiting + n.Active + n.Delayed,
		Counts: countsView{
			Waiting: n.Waiting, Active: n.Active, Delayed: n.Delayed,
			Failed: n.Dead, Completed: n.Succeeded + n.Failed + n.Cancelled,
		},
	}
}
