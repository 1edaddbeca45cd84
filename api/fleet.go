// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// fleetAge is how long an answer of the queue is used again: anybody may ask for metrics, as often as they like.
const fleetAge = 2 * time.Second

// fleet is the state of queue and workers at one moment.
type fleet struct {
	counts   queue.Counts
	activity queue.Activity
	workers  queue.Fleet
	memory   queue.Memory
	window   time.Duration
	capacity int64
	at       time.Time
}

func (f fleet) perSecond() float64 { return float64(f.activity.Submitted) / f.window.Seconds() }
func (f fleet) finished() int64    { return f.activity.Succeeded + f.activity.Failed }
func (f fleet) depth() int64       { return f.counts.Waiting + f.counts.Delayed }
func (f fleet) utilization() float64 {
	return float64(f.counts.Active) / float64(max(f.capacity, 1))
}

func (f fleet) averageMs() float64 {
	if f.finished() == 0 {
		return 0
	}
	return float64(f.activity.Runtime.Milliseconds()) / float64(f.finished())
}

func (f fleet) failureRate() float64 {
	if f.finished() == 0 {
		return 0
	}
	return float64(f.activity.Failed) / float64(f.finished())
}

// fleetCache keeps the latest state.
type fleetCache struct {
	mu   sync.Mutex // guards the rest; held while Redis is asked, so that one asks for all
	last fleet
	err  error
	at   time.Time
}

func (c *fleetCache) get(s *Server) (fleet, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < fleetAge {
		return c.last, c.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	f := fleet{window: s.opts.MetricsWindow, capacity: s.opts.FleetCapacity, at: time.Now()}
	if f.counts, c.err = s.opts.Queue.Counts(ctx); c.err == nil {
		f.activity, c.err = s.opts.Queue.Activity(ctx, f.window)
	}
	if c.err == nil {
		f.workers, c.err = s.opts.Queue.Fleet(ctx)
	}
	if c.err == nil {
		f.memory, c.err = s.opts.Queue.Memory(ctx)
	}
	c.last, c.at = f, time.Now()
	return f, c.err
}

// fleetSummary is the answer of GET /v1/observability/summary.
type fleetSummary struct {
	TraceID      string       `json:"traceId"`
	Metrics      fleetMetrics `json:"metrics"`
	Architecture architecture `json:"architecture"`
}

type fleetMetrics struct {
	WindowSeconds     int64       `json:"windowSeconds"`
	JobsPerSecond     float64     `json:"jobsPerSecond"`
	AverageRuntimeMs  float64     `json:"averageRuntimeMs"`
	FailureRate       float64     `json:"failureRate"`
	QueueDepth        int64       `json:"queueDepth"`
	ActiveJobs        int64       `json:"activeJobs"`
	WorkerUtilization float64     `json:"workerUtilization"`
	SubmittedJobs     int64       `json:"submittedJobs"`
	CompletedJobs     int64       `json:"completedJobs"`
	FailedJobs        int64       `json:"failedJobs"`
	WorkerFleet       workerFleet `json:"workerFleet"`
	UpdatedAt         *view.Stamp `json:"updatedAt"`
}

type workerFleet struct {
	Desired  int64 `json:"desired"` // alive
	Running  int64 `json:"running"` // and their daemon can run jobs
	Pending  int64 `json:"pending"` // and it can't
	Capacity int64 `json:"capacity"`
}

type architecture struct {
	ControlPlane  string   `json:"controlPlane"`
	Queue         string   `json:"queue"`
	Workers       string   `json:"workers"`
	Execution     string   `json:"execution"`
	Observability []string `json:"observability"`
}

// getFleet shows the load of the service: GET /v1/observability/summary.
func (s *Server) getFleet(c *call) {
	f, err := s.fleet.get(s)
	if err != nil {
		c.unavailable(err)
		return
	}
	a := f.activity
	c.json(http.StatusOK, fleetSummary{TraceID: c.trace,
		Metrics: fleetMetrics{
			WindowSeconds: int64(f.window.Seconds()), JobsPerSecond: f.perSecond(), AverageRuntimeMs: f.averageMs(), FailureRate: f.failureRate(),
			QueueDepth: f.depth(), ActiveJobs: f.counts.Active, WorkerUtilization: f.utilization(),
			SubmittedJobs: a.Submitted, CompletedJobs: f.finished(), FailedJobs: a.Failed,
			WorkerFleet: workerFleet{Desired: a.Workers, Running: a.Ready, Pending: a.Workers - a.Ready, Capacity: f.capacity}, UpdatedAt: view.Time(f.at),
		},
		Architecture: architecture{
			ControlPlane: "REST API in Go", Queue: "Redis, fair among tenants, with leases", Workers: "unprivileged, one lease a job",
			Execution: "one sandbox a job: namespaces, cgroups, seccomp", Observability: []string{"Prometheus", "OpenTelemetry", "JSON logs", "audit"},
		},
	})
}

// getMetrics shows the metrics that name no tenant, as Prometheus reads them: GET /metrics.
func (s *Server) getMetrics(c *call) {
	c.status = http.StatusOK
	h := promhttp.HandlerFor(s.metrics.public, promhttp.HandlerOpts{DisableCompression: true, ErrorHandling: promhttp.ContinueOnError})
	if c.r.Method == http.MethodHead {
		c.w.Header().Set("Content-Type", metricsType)
		c.w.WriteHeader(c.status)
		return
	}
	c.r.Header.Set("Accept", "text/plain;version=0.0.4") // the contract's format, whatever is asked for
	h.ServeHTTP(typed{c.w}, c.r)
}

// metricsType is the contract's; the library adds a parameter about the escaping of names, which ours don't need.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// typed answers with that type, whatever the handler sets.
type typed struct{ http.ResponseWriter }

func (w typed) Write(b []byte) (int, error) {
	w.Header().Set("Content-Type", metricsType)
	return w.ResponseWriter.Write(b)
}

// MetricsHandler serves all metrics, those by tenant too, for a listener that only operators reach.
func (s *Server) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(s.metrics.internal, promhttp.HandlerOpts{})
}
