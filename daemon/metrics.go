// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/ccee-dev/ccee/daemon/ready"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
)

// metrics are the metrics of GET /metrics. Their names are part of the daemon's contract with operators.
type metrics struct {
	registry *prometheus.Registry

	jobs            *prometheus.CounterVec   // language, verdict
	refused         *prometheus.CounterVec   // code
	stepSeconds     *prometheus.HistogramVec // language, step, verdict
	waitSeconds     *prometheus.HistogramVec // language
	setUpSeconds    *prometheus.HistogramVec // language
	tearDownSeconds *prometheus.HistogramVec // language
	lostSlots       prometheus.Counter
	sandboxes       *prometheus.CounterVec // from: ready, warm or cold
	denied          *prometheus.CounterVec // syscall
	starved         *prometheus.CounterVec // language

	connectionsRefused *prometheus.CounterVec // reason, of the listener for other machines
}

// fromHalfMs are the buckets of a histogram of durations, from half a millisecond to half a minute.
func fromHalfMs() []float64 { return prometheus.ExponentialBuckets(0.0005, 2, 17) }

func newMetrics(s *slots.Pool) *metrics {
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: fromHalfMs()}, []string{"language"})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccee_daemon_jobs_total", Help: "Jobs with a result.",
		}, []string{"language", "verdict"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccee_daemon_refused_total", Help: "Jobs that were not run, by error code.",
		}, []string{"code"}),
		stepSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ccee_daemon_step_seconds", Help: "Wall time of the steps' programs.", Buckets: fromHalfMs(),
		}, []string{"language", "step", "verdict"}),
		waitSeconds:     histogram("ccee_daemon_wait_seconds", "Time that jobs waited for a slot."),
		setUpSeconds:    histogram("ccee_daemon_set_up_seconds", "Time to build a sandbox."),
		tearDownSeconds: histogram("ccee_daemon_tear_down_seconds", "Time to destroy a sandbox."),
		lostSlots: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccee_daemon_lost_slots_total", Help: "Slots out of service because their sandbox could not be destroyed.",
		}),
	}
	m.denied = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ccee_daemon_denied_syscalls_total", Help: "System calls that the seccomp policy refused.",
	}, []string{"syscall"})
	m.starved = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ccee_daemon_wall_limit_starved_total", Help: "Steps that reached their wall time limit because the host was too busy to run them.",
	}, []string{"language"})
	m.sandboxes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ccee_daemon_sandboxes_total", Help: "Sandboxes given to jobs: prewarmed (ready), prewarmed with the runtime started (warm), or built on demand (cold).",
	}, []string{"from"})
	m.connectionsRefused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ccee_daemon_connections_refused_total",
		Help: "Connections from other machines that were closed before a request was read, by reason.",
	}, []string{"reason"})
	m.registry.MustRegister(m.sandboxes, m.denied, m.starved, m.jobs, m.refused, m.stepSeconds, m.waitSeconds, m.setUpSeconds, m.tearDownSeconds, m.lostSlots,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(slotGauges(s)...)
	m.registry.MustRegister(version.NewCollector("ccee"))
	return m
}

// watchReady adds the number of prewarmed sandboxes.
func (m *metrics) watchReady(p *ready.Pool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ccee_daemon_ready_sandboxes", Help: "Prewarmed sandboxes that wait for a job."},
		func() float64 { return float64(p.Count()) }))
}

// watchRemote adds what there is to know of the listener for other machines.
func (m *metrics) watchRemote(r *remote) {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(m.connectionsRefused,
		gauge("ccee_daemon_connections", "Open connections from other machines.", func() float64 { return float64(r.connections()) }),
		gauge("ccee_daemon_certificate_expires_seconds",
			"When the daemon's certificate, or the last of the authorities of its callers, ends, in seconds since 1970.",
			func() float64 { return float64(r.certs.Expires().Unix()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "ccee_daemon_certificate_failures_total", Help: "Changes of the certificate's files that could not be used.",
		}, func() float64 { return float64(r.certs.Failures()) }))
}

// notePolicy adds whether the daemon serves under another policy than the chosen one.
func (m *metrics) notePolicy(fallback bool) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ccee_daemon_policy_fallback", Help: "1 while the daemon serves under an earlier policy, because it can't under the one in the policy file.",
	})
	if fallback {
		g.Set(1)
	}
	m.registry.MustRegister(g)
}

// languageGauges is a collector that has for each language whether it is left out.
type languageGauges struct {
	languages *catalogue
	leftOut   *prometheus.Desc
}

// watchLanguages adds languageGauges.
func (m *metrics) watchLanguages(c *catalogue) {
	m.registry.MustRegister(languageGauges{c, prometheus.NewDesc("ccee_daemon_languages_left_out",
		"1 for a language that has an image but is not offered, because the image is damaged or unusable or its programs don't run.", []string{"language"}, nil)})
}

func (l languageGauges) Describe(ch chan<- *prometheus.Desc) { ch <- l.leftOut }

func (l languageGauges) Collect(ch chan<- prometheus.Metric) {
	t, err := l.languages.current(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(l.leftOut, err)
		return
	}
	for _, offered := range t.sorted {
		ch <- prometheus.MustNewConstMetric(l.leftOut, prometheus.GaugeValue, 0, offered.profile.Name)
	}
	for _, name := range t.leftOut {
		ch <- prometheus.MustNewConstMetric(l.leftOut, prometheus.GaugeValue, 1, name)
	}
}

// slotGauges show the budget and how much of it is in use.
func slotGauges(s *slots.Pool) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("ccee_daemon_slots", "Jobs that may run at once.", func() float64 { return float64(s.Budget().Slots) }),
		gauge("ccee_daemon_slots_used", "Slots in use.", func() float64 { n, _, _ := s.InUse(); return float64(n) }),
		gauge("ccee_daemon_waiting", "Jobs that wait for a slot.", func() float64 { _, n, _ := s.InUse(); return float64(n) }),
		gauge("ccee_daemon_memory_bytes", "Memory that can be reserved for jobs.", func() float64 { return float64(s.Budget().Memory) }),
		gauge("ccee_daemon_memory_used_bytes", "Memory reserved for running jobs.", func() float64 {
			_, _, used := s.InUse()
			return float64(used.Memory)
		}),
		gauge("ccee_daemon_cpu_millicores", "CPU rate that can be reserved for jobs.", func() float64 { return float64(s.Budget().Millicores) }),
		gauge("ccee_daemon_cpu_used_millicores", "CPU rate reserved for running jobs.", func() float64 {
			_, _, used := s.InUse()
			return float64(used.Millicores)
		}),
		gauge("ccee_daemon_pids", "Processes and threads that can be reserved for jobs.", func() float64 { return float64(s.Budget().Pids) }),
		gauge("ccee_daemon_pids_used", "Processes and threads reserved for running jobs.", func() float64 {
			_, _, used := s.InUse()
			return float64(used.Pids)
		}),
	}
}

// finished counts a result. language is the name in the profile, never the one in the request, which may be any text.
func (m *metrics) finished(language string, res *job.Result) {
	m.jobs.WithLabelValues(language, string(res.Verdict)).Inc()
	m.starved.WithLabelValues(language).Add(0) // so that the series exists, for alerts
	for s := range res.EveryStep() {
		m.stepSeconds.WithLabelValues(language, s.Name, string(s.Verdict)).Observe(s.Usage.WallMs / 1000)
		if s.Starved() > 0 {
			m.starved.WithLabelValues(language).Inc()
		}
		for _, d := range s.DeniedSyscalls {
			name := d.Name
			if strings.HasPrefix(name, "syscall_") {
				name = "unknown" // a job can make up any number, which must not become a series
			}
			m.denied.WithLabelValues(name).Add(float64(d.Count))
		}
	}
}
