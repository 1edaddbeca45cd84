package daemon

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/ccee-dev/ccee/job"
)

// metrics are what GET /metrics shows. Their names are part of the daemon's contract with operators.
type metrics struct {
	registry *prometheus.Registry

	jobs            *prometheus.CounterVec   // language, verdict
	refused         *prometheus.CounterVec   // code
	stepSeconds     *prometheus.HistogramVec // language, step, verdict
	waitSeconds     *prometheus.HistogramVec // language
	setUpSeconds    *prometheus.HistogramVec // language
	tearDownSeconds *prometheus.HistogramVec // language
	lostSlots       prometheus.Counter
	sandboxes       *prometheus.CounterVec // by where they came from
	denied          *prometheus.CounterVec // syscall
	starved         *prometheus.CounterVec // language
}

// fromHalfMs has buckets for what takes from half a millisecond to half a minute.
func fromHalfMs() []float64 { return prometheus.ExponentialBuckets(0.0005, 2, 17) }

func newMetrics(s *slots) *metrics {
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: fromHalfMs()}, []string{"language"})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccee_daemon_jobs_total", Help: "Jobs that came to a result.",
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
		Name: "ccee_daemon_wall_limit_starved_total", Help: "Steps whose wall time passed while the host, busy with other things, kept them from running.",
	}, []string{"language"})
	m.sandboxes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ccee_daemon_sandboxes_total", Help: "Sandboxes given to jobs: ready, with the runtime started in it (warm), or made at once (cold).",
	}, []string{"from"})
	m.registry.MustRegister(m.sandboxes, m.denied, m.starved, m.jobs, m.refused, m.stepSeconds, m.waitSeconds, m.setUpSeconds, m.tearDownSeconds, m.lostSlots,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(slotGauges(s)...)
	m.registry.MustRegister(version.NewCollector("ccee"))
	return m
}

// watchReady shows how many sandboxes are ready.
func (m *metrics) watchReady(r *ready) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ccee_daemon_ready_sandboxes", Help: "Sandboxes that wait for a job."},
		func() float64 { return float64(r.count()) }))
}

// slotGauges show what is in use and what there is.
func slotGauges(s *slots) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("ccee_daemon_slots", "Jobs that may run at once.", func() float64 { return float64(s.total.slots) }),
		gauge("ccee_daemon_slots_used", "Slots in use.", func() float64 { n, _, _ := s.inUse(); return float64(n) }),
		gauge("ccee_daemon_waiting", "Jobs that wait for a slot.", func() float64 { _, n, _ := s.inUse(); return float64(n) }),
		gauge("ccee_daemon_memory_bytes", "Memory that jobs may be promised.", func() float64 { return float64(s.total.memory) }),
		gauge("ccee_daemon_memory_used_bytes", "Memory promised to running jobs.", func() float64 {
			_, _, used := s.inUse()
			return float64(used.memory)
		}),
		gauge("ccee_daemon_cpu_millicores", "CPU rate that jobs may be promised.", func() float64 { return float64(s.total.millicores) }),
		gauge("ccee_daemon_cpu_used_millicores", "CPU rate promised to running jobs.", func() float64 {
			_, _, used := s.inUse()
			return float64(used.millicores)
		}),
		gauge("ccee_daemon_pids", "Processes and threads that jobs may be promised.", func() float64 { return float64(s.total.pids) }),
		gauge("ccee_daemon_pids_used", "Processes and threads promised to running jobs.", func() float64 {
			_, _, used := s.inUse()
			return float64(used.pids)
		}),
	}
}

// finished counts a result. language is the profile's name, never the request's word for it: that is the caller's text.
func (m *metrics) finished(language string, res *job.Result) {
	m.jobs.WithLabelValues(language, string(res.Verdict)).Inc()
	m.starved.WithLabelValues(language).Add(0) // from now on it is there, for alerts
	for s := range res.EveryStep() {
		m.stepSeconds.WithLabelValues(language, s.Name, string(s.Verdict)).Observe(s.Usage.WallMs / 1000)
		if s.Starved() > 0 {
			m.starved.WithLabelValues(language).Inc()
		}
		for _, d := range s.DeniedSyscalls {
			name := d.Name
			if strings.HasPrefix(name, "syscall_") {
				name = "unknown" // numbers that jobs make up must not become series
			}
			m.denied.WithLabelValues(name).Add(float64(d.Count))
		}
	}
}
