// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"github.com/prometheus/common/version"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// health is the answer of GET /health: liveness, so it depends on nothing else.
type health struct {
	Status  string `json:"status"`
	Service string `json:"service"`
	Version string `json:"version"`
}

func (s *Server) getHealth(c *call) { c.json(http.StatusOK, health{"ok", "api", version.Version}) }

// summary is the answer of GET /health/summary.
type summary struct {
	Status      string      `json:"status"`
	Service     string      `json:"service"`
	Queue       queueView   `json:"queue"`
	Autoscaling autoscaling `json:"autoscaling"`
	UpdatedAt   *view.Stamp `json:"updatedAt"`
	running
}

type queueView struct {
	Pending int64      `json:"pending"`
	Counts  countsView `json:"counts"`
	Stuck   int64      `json:"stuck"` // waiting jobs whose language no worker can run now
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

// getSummary shows the number of jobs in each state and the languages that can run; it is two seconds old at most: GET /health/summary.
func (s *Server) getSummary(c *call) {
	f, err := s.fleet.get(s)
	if err != nil {
		c.unavailable(err)
		return
	}
	c.json(http.StatusOK, summary{
		Status: "ok", Service: "api", Queue: viewCounts(f.counts),
		Autoscaling: autoscaling{s.opts.QueueDepthTarget}, UpdatedAt: view.Time(f.at),
		running: s.running(c.r.Context(), f.workers, nil),
	})
}

func viewCounts(n queue.Counts) queueView {
	return queueView{
		Pending: n.Waiting + n.Active + n.Delayed, Stuck: n.Stuck,
		Counts: countsView{
			Waiting: n.Waiting, Active: n.Active, Delayed: n.Delayed,
			Failed: n.Dead, Completed: n.Succeeded + n.Failed + n.Cancelled,
		},
	}
}
