// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the worker's counters.
type metrics struct {
	running      prometheus.Gauge
	backendReady prometheus.Gauge
	ended        *prometheus.CounterVec   // by state
	verdicts     *prometheus.CounterVec   // by verdict
	seconds      *prometheus.HistogramVec // by language and verdict
	waited       *prometheus.HistogramVec // by language
	claimErrors  prometheus.Counter
}

// newMetrics registers the metrics with r, unless it is nil.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ccee_worker_jobs_running", Help: "Jobs running now."}),
		backendReady: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ccee_worker_backend_ready", Help: "1 while the worker's daemon can run jobs; otherwise the worker claims none."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccee_worker_jobs_total", Help: "Ended runs, by the state of the job after them; lost: another worker has it; unstored: Redis was unreachable."}, []string{"state"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccee_worker_verdicts_total", Help: "Stored results, by verdict."}, []string{"verdict"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ccee_worker_job_seconds", Help: "Time from claim to result.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14)}, []string{"language", "verdict"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ccee_worker_queue_wait_seconds", Help: "Time from submission to claim, of first attempts.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 18)}, []string{"language"}),
		claimErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccee_worker_claim_errors_total", Help: "Claims that Redis did not answer."}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.running, m.backendReady, m.ended, m.verdicts, m.seconds, m.waited, m.claimErrors} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register the worker's metrics: %w", err)
		}
	}
	return m, nil
}
