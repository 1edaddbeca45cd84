// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// maxTenantSeries bounds the tenants with series of their own; the others are counted together.
const maxTenantSeries = 200

// metrics are the counters of one api process. Label values are ours, never a caller's text: routes of the table, languages that
// workers announced, and a bounded number of tenants.
type metrics struct {
	public   *prometheus.Registry // names no tenant
	internal *prometheus.Registry // everything

	requests     *prometheus.CounterVec   // route, method, code
	seconds      *prometheus.HistogramVec // route
	submissions  *prometheus.CounterVec   // language, outcome
	authFailures *prometheus.CounterVec   // reason
	webhooks     *prometheus.CounterVec   // outcome
	tenantJobs   *prometheus.CounterVec   // tenant, outcome
	tenantBytes  *prometheus.GaugeVec     // tenant
	connsRefused prometheus.Counter

	mu      sync.Mutex // guards tenants
	tenants map[string]bool
}

// Metrics returns the registry for the metrics of other parts of the process, for operators alone.
func (s *Server) Metrics() prometheus.Registerer { return s.metrics.internal }

func newAPIMetrics(s *Server) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		public: prometheus.NewRegistry(), internal: prometheus.NewRegistry(), tenants: map[string]bool{},
		requests: counter("ccee_api_requests_total", "Requests that were answered.", "route", "method", "code"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ccee_api_request_seconds", Help: "Time to answer requests. Those that wait for a job, and streams, are in it.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 17)}, []string{"route"}),
		submissions:  counter("ccee_api_submissions_total", "Submissions by what became of them.", "language", "outcome"),
		authFailures: counter("ccee_api_auth_failures_total", "Callers who were turned away.", "reason"),
		connsRefused: prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_api_connections_refused_total",
			Help: "Connections that were closed at once: their address had its part of all."}),
		webhooks:   counter("ccee_api_webhooks_total", "Attempts to deliver a webhook.", "outcome"),
		tenantJobs: counter("ccee_api_tenant_submissions_total", "Submissions by tenant, the first 200; the others together.", "tenant", "outcome"),
	}
	m.tenantBytes = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ccee_tenant_stored_bytes",
		Help: "Bytes that a tenant's jobs took in Redis when it last submitted one here, of the first 200 tenants."}, []string{"tenant"})
	streams := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ccee_api_streams", Help: "Open streams of events."},
		func() float64 { return float64(s.streams.Taken()) })
	both := []prometheus.Collector{m.requests, m.seconds, m.submissions, m.authFailures, m.webhooks, m.connsRefused, streams, &fleetCollector{s}, version.NewCollector("ccee")}
	m.public.MustRegister(both...)
	m.internal.MustRegister(both...)
	m.internal.MustRegister(m.tenantJobs, m.tenantBytes, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// answered counts a request.
func (m *metrics) answered(c *call) {
	method := c.r.Method
	if c.route == "" {
		method = "" // that of an unknown route is the caller's text
	}
	m.requests.WithLabelValues(c.route, method, strconv.Itoa(c.status)).Inc()
	m.seconds.WithLabelValues(c.route).Observe(time.Since(c.start).Seconds())
}

// submitted counts a submission and its outcome. language is the worker's word, "" where none was found.
func (m *metrics) submitted(tenant, language string, a queue.Admission, err error) {
	outcome := submitOutcome(a, err)
	m.submissions.WithLabelValues(language, outcome).Inc()
	m.tenantJobs.WithLabelValues(m.tenant(tenant), outcome).Inc()
	m.stored(tenant, a, err)
}

// stored sets how many bytes a tenant's jobs take, by the queue's answer to a submission. The other tenants have no sum.
func (m *metrics) stored(tenant string, a queue.Admission, err error) {
	bytes := a.Stored
	if quota := new(queue.QuotaError); errors.As(err, &quota) {
		bytes = quota.Stored
	}
	if label := m.tenant(tenant); bytes > 0 && label != otherTenants {
		m.tenantBytes.WithLabelValues(label).Set(float64(bytes))
	}
}

// submitOutcome is the label for the outcome of a submission.
func submitOutcome(a queue.Admission, err error) string {
	refused := new(submit.Refusal)
	switch code := submit.CodeOf(err); {
	case code == "" && a.Replayed:
		return "replayed"
	case code == "":
		return "accepted"
	case code == submit.RateLimited:
		return string(queue.Requests)
	case code == submit.SubmitRateLimited:
		return string(queue.Submits)
	case code == submit.QuotaExceeded && errors.As(err, &refused):
		return refused.Quota.Reason
	case code == submit.StorageFull:
		return "storage_full"
	case code == submit.KeyReused:
		return "key_reused"
	}
	return "unavailable"
}

// otherTenants is the label of those that have no series of their own.
const otherTenants = "others"

// tenant is the label of a tenant.
func (m *metrics) tenant(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tenants[name] {
		return name
	}
	if len(m.tenants) >= maxTenantSeries {
		return otherTenants
	}
	m.tenants[name] = true
	return name
}

// fleetCollector shows the gauges of the contract, and the queue.
type fleetCollector struct{ s *Server }

var (
	fleetGauges = []struct {
		desc  *prometheus.Desc
		value func(fleet) float64
	}{
		{desc("ccee_jobs_per_second", "Jobs submitted a second, over the window."), func(f fleet) float64 { return f.perSecond() }},
		{desc("ccee_average_runtime_ms", "Mean run time of jobs that finished in the window, in milliseconds."), func(f fleet) float64 { return f.averageMs() }},
		{desc("ccee_failure_rate", "Failed jobs of those that finished in the window."), func(f fleet) float64 { return f.failureRate() }},
		{desc("ccee_queue_depth", "Jobs that wait."), func(f fleet) float64 { return float64(f.depth()) }},
		{desc("ccee_worker_utilization", "Running jobs of those that the fleet can run at once."), func(f fleet) float64 { return f.utilization() }},
		{desc("ccee_worker_running", "Workers that can run jobs: they are alive, and so is their daemon."), func(f fleet) float64 { return float64(f.activity.Ready) }},
		{desc("ccee_worker_desired", "Workers that are alive."), func(f fleet) float64 { return float64(f.activity.Workers) }},
		{desc("ccee_worker_pending", "Workers that are alive and whose daemon can't run jobs."), func(f fleet) float64 { return float64(f.activity.Workers - f.activity.Ready) }},
		{desc("ccee_queue_stuck", "Jobs that wait in a language that no worker can run now."), func(f fleet) float64 { return float64(f.counts.Stuck) }},
		{desc("ccee_queue_active", "Jobs that run."), func(f fleet) float64 { return float64(f.counts.Active) }},
		{desc("ccee_redis_used_bytes", "Redis's memory that is used."), func(f fleet) float64 { return float64(f.memory.Used) }},
		{desc("ccee_redis_max_bytes", "Redis's maxmemory; 0: it has none. Beyond 85 % of it no jobs are admitted."), func(f fleet) float64 { return float64(f.memory.Max) }},
		{desc("ccee_queue_dead", "Dead-lettered jobs."), func(f fleet) float64 { return float64(f.counts.Dead) }},
	}
	queueUp     = desc("ccee_queue_up", "1 while Redis answers.")
	jobsEnded   = prometheus.NewDesc("ccee_jobs_finished_total", "Finished jobs since the queue began, by state.", []string{"state"}, nil)
	jobsRetried = desc("ccee_jobs_retried_total", "Retries since the queue began.")
)

func desc(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

// Describe is prometheus.Collector's.
func (f *fleetCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range fleetGauges {
		ch <- g.desc
	}
	ch <- queueUp
	ch <- jobsEnded
	ch <- jobsRetried
}

// Collect asks Redis at most every two seconds. While Redis is unreachable, that is the only metric.
func (f *fleetCollector) Collect(ch chan<- prometheus.Metric) {
	now, err := f.s.fleet.get(f.s)
	up := 1.0
	if err != nil {
		up = 0
	}
	ch <- prometheus.MustNewConstMetric(queueUp, prometheus.GaugeValue, up)
	if err != nil {
		return
	}
	for _, g := range fleetGauges {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value(now))
	}
	for state, n := range map[queue.State]int64{queue.Succeeded: now.counts.Succeeded, queue.Failed: now.counts.Failed, queue.Cancelled: now.counts.Cancelled} {
		ch <- prometheus.MustNewConstMetric(jobsEnded, prometheus.CounterValue, float64(n), string(state))
	}
	ch <- prometheus.MustNewConstMetric(jobsRetried, prometheus.CounterValue, float64(now.counts.Retried))
}
