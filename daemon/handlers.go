// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/version"

	"github.com/ccee-dev/ccee/job"
)

// routes is the table of all that both listeners offer. PROTOCOL.md describes each route.
func (s *Server) routes() http.Handler {
	r := httprouter.New()
	r.RedirectTrailingSlash, r.RedirectFixedPath = false, false
	for _, row := range []struct {
		method, path string
		handle       httprouter.Handle
	}{
		{"POST", "/v1/run", s.postRun},
		{"DELETE", "/v1/run/:id", s.deleteRun},
		{"GET", "/v1/languages", s.getLanguages},
		{"GET", "/v1/capacity", s.getCapacity},
		{"GET", "/health", s.getHealth},
		{"GET", "/ready", s.getReady},
	} {
		r.Handle(row.method, row.path, row.handle)
	}
	r.Handler("GET", "/metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	r.NotFound = http.HandlerFunc(notFound)
	r.MethodNotAllowed = http.HandlerFunc(notFound)
	return r
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeError(w, job.Errorf(job.ENotFound, "there is no %s %.80s: PROTOCOL.md lists the routes", r.Method, r.URL.Path))
}

func (s *Server) postRun(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	began := time.Now()
	a := newAnswer(w, r)
	spec, err := s.readSpec(w, r)
	if err != nil {
		s.metrics.refused.WithLabelValues(string(job.ErrorCode(err))).Inc()
		a.fail(err)
		return
	}
	res, err := s.runJob(r.Context(), spec, a)
	if err != nil {
		s.metrics.refused.WithLabelValues(string(job.ErrorCode(err))).Inc()
		a.fail(err)
	}
	s.logJob(callerOf(r), &spec, &res, time.Since(began), err)
}

// runJob runs spec as one of the server's jobs. The job's id is free again before its caller reads the result: so it can be
// used again at once.
func (s *Server) runJob(ctx context.Context, spec job.Spec, a *answer) (job.Result, error) {
	ctx, end, err := s.jobs.begin(ctx, spec.ID)
	if err != nil {
		return job.Result{}, err
	}
	defer s.once.end()
	defer end()
	return s.run(ctx, spec, func(ev job.Event) error {
		if ev.Type == job.EventResult {
			end()
		}
		return a.event(ev)
	})
}

func (s *Server) logJob(c caller, spec *job.Spec, res *job.Result, took time.Duration, err error) {
	line := s.log.Info()
	if job.ErrorCode(err) == job.EInternal {
		line = s.log.Error()
	}
	line = line.Str("job", spec.ID).Str("tenant", spec.Tenant).Int("attempt", spec.Attempt).
		Str("language", spec.Language[:min(40, len(spec.Language))]).
		EmbedObject(c).Dur("took", took)
	if err != nil {
		line.Str("code", string(job.ErrorCode(err))).Err(err).Msg("job not run")
		return
	}
	var cpu float64
	var memory int64
	for s := range res.EveryStep() {
		u := &s.Usage
		cpu += u.CPUUserMs + u.CPUSystemMs
		memory = max(memory, u.MemoryPeakBytes)
	}
	if denied := deniedCounts(res); len(denied) > 0 {
		line = line.Interface("deniedSyscalls", denied)
	}
	line.Str("status", string(res.Status)).Str("verdict", string(res.Verdict)).
		Float64("wallMs", res.WallMs).Float64("cpuMs", cpu).Int64("memoryPeakBytes", memory).Msg("job")
}

// deniedCounts counts the refused calls of all steps by name, for the audit.
func deniedCounts(res *job.Result) map[string]int64 {
	counts := map[string]int64{}
	for s := range res.EveryStep() {
		for _, d := range s.DeniedSyscalls {
			counts[d.Name] += d.Count
		}
	}
	return counts
}

func (s *Server) deleteRun(w http.ResponseWriter, r *http.Request, ps httprouter.Params) {
	id := ps.ByName("id")
	if !s.jobs.cancelJob(id) {
		writeError(w, job.Errorf(job.ENotFound, "no job with the id %.128s is running here", id))
		return
	}
	s.log.Info().Str("job", id).EmbedObject(callerOf(r)).Msg("cancelled by request")
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getLanguages(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	t, err := s.languages.current(r.Context())
	if err != nil {
		s.log.Error().Err(err).Msg("languages not read")
		writeError(w, onWire(err))
		return
	}
	writeJSON(w, http.StatusOK, map[string][]job.Language{"languages": t.profiles()})
}

func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "version": version.Version})
}

// readiness is the answer of GET /ready.
type readiness struct {
	Ready    bool     `json:"ready"`
	Reasons  []string `json:"reasons,omitempty"`  // why it is not ready
	Warnings []string `json:"warnings,omitempty"` // problems in spite of which it is
	Slots    int      `json:"slots"`              // jobs that can run at once, if memory, CPU rates and processes suffice

	QueueWaitMs int64 `json:"queueWaitMs"` // milliseconds that a job may wait for a slot
}

func (s *Server) getReady(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	state := readiness{Slots: s.slots.Budget().Slots, QueueWaitMs: s.slots.Budget().Wait.Milliseconds()}
	if s.jobs.isDraining() {
		state.Reasons = append(state.Reasons, errDraining().Message)
	}
	if err := s.sandboxes(); err != nil {
		state.Reasons = append(state.Reasons, err.Error())
	}
	state.Warnings = slices.Clip(s.warnings)
	if s.remote != nil {
		state.Warnings = append(state.Warnings, s.remote.certs.Warnings()...)
	}
	t, err := s.languages.current(r.Context())
	if err != nil {
		state.Reasons = append(state.Reasons, err.Error())
	} else {
		state.Warnings = append(state.Warnings, t.skipped...)
		if len(t.sorted) == 0 {
			state.Reasons = append(state.Reasons, errNoLanguages().Message)
		}
	}
	status := http.StatusServiceUnavailable
	if state.Ready = len(state.Reasons) == 0; state.Ready {
		status = http.StatusOK
	}
	writeJSON(w, status, state)
}
