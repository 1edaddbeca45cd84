// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccee-dev/ccee/job"
)

// mostSeries is how many daemons have series of their own; the jobs of further ones are counted together.
const mostSeries = 64

// poolMetrics are the metrics of a Pool.
type poolMetrics struct {
	jobs *prometheus.CounterVec // by daemon and outcome
	reg  prometheus.Registerer

	mu    sync.Mutex // guards named
	named map[string]bool
}

func newPoolMetrics(r prometheus.Registerer) (*poolMetrics, error) {
	m := &poolMetrics{
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccee_worker_daemon_jobs_total",
			Help: "Jobs given to a daemon of the pool, by what became of them there: ended, refused, broken."},
			[]string{"daemon", "outcome"}),
		reg: r, named: map[string]bool{},
	}
	if r == nil {
		return m, nil
	}
	if err := r.Register(m.jobs); err != nil {
		return nil, fmt.Errorf("register the pool's metrics: %w", err)
	}
	return m, nil
}

// watch adds the numbers of daemons by state.
func (m *poolMetrics) watch(p *Pool) {
	if m.reg == nil {
		return
	}
	for _, state := range []string{"ready", "full", "left_out"} {
		m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ccee_worker_pool_daemons", Help: "Daemons of the pool, by state.", ConstLabels: prometheus.Labels{"state": state}},
			func() float64 { return float64(p.count(state)) }))
	}
}

// count is how many daemons are in that state.
func (p *Pool) count(state string) (n int) {
	for _, m := range p.list() {
		if m.word() == state {
			n++
		}
	}
	return n
}

// word is the metric's word for the state of a daemon.
func (m *member) word() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.known || m.state.err != nil:
		return "left_out"
	case time.Now().Before(m.busyUntil):
		return "full"
	}
	return "ready"
}

// ended counts a job.
func (m *poolMetrics) ended(address string, err error) {
	outcome := "ended"
	switch code := job.ErrorCode(err); {
	case errors.Is(err, ErrBroken):
		outcome = "broken"
	case code == job.EBusy, code == job.EUnavailable, code == job.EForbidden:
		outcome = "refused"
	}
	m.jobs.WithLabelValues(m.name(address), outcome).Inc()
}

// name is the label of a daemon.
func (m *poolMetrics) name(address string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.named[address] && len(m.named) >= mostSeries {
		return "other"
	}
	m.named[address] = true
	return address
}

// forget removes the series of a daemon that is gone.
func (m *poolMetrics) forget(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.named, address)
	m.jobs.DeletePartialMatch(prometheus.Labels{"daemon": address})
}
