// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/semaphore"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/api/live"
	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/submit"
)

// Server is the REST API. It is an http.Handler; Serve runs it on a listener.
type Server struct {
	opts            Options
	origins         origins
	submit          *submit.Service
	bodies          *budget   // bytes, by tenant
	answers         *budget   // bytes of large answers, by tenant
	anonymousBodies *budget   // bytes, by address
	conns           *budget   // connections, by address
	lingering       *budget   // connections whose rest is read, by address
	redisOutage     outageLog // Redis, as who asks for readiness sees it
	archive         archiveHealth
	metrics         *metrics
	tracer          trace.Tracer
	fleet           fleetCache
	authFailures    *authFailures
	proxyWarning    sync.Once
	ready           readyCache
	modelCalls      *semaphore.Weighted
	streams         live.Places
	beat            time.Duration // of streams
	patience        time.Duration // with slow bodies, beyond the least pace; for tests
	webhooks        *webhook.Sender
	inFlight        *inFlight // webhooks
	name            string    // of this process, unique
	router          *httprouter.Router

	draining context.Context // done when requests that wait for a job shall answer now
	drain    context.CancelFunc
}

// access is who may use a route.
type access int

const (
	tenants      access = iota // callers that the Authenticator knows, with the scope of the method; the zero value is the strict one
	countsItself               // as tenants; the handler counts the request in the same round trip as its own step
	admins                     // operators; not counted
	anyone
	tasks // the holder of an ECS task's token, which the handler checks; no other credential is looked at
)

// scopes returns the scopes that a credential needs for a route. Analyzing is reading, too: it quotes output.
func (rt route) scopes() auth.Scopes {
	switch {
	case rt.method == http.MethodGet:
		return auth.Scopes{auth.Read}
	case strings.HasSuffix(rt.path, "/analyze"):
		return auth.Scopes{auth.Submit, auth.Read}
	}
	return auth.Scopes{auth.Submit}
}

// route is one row of the route table.
type route struct {
	method, path string
	access       access
	handle       func(*call)
}

// routes is the route table. HEAD is added to each GET.
func (s *Server) routes() []route {
	return []route{
		{"GET", "/", anyone, s.getIndex},
		{"GET", "/health", anyone, s.getHealth},
		{"GET", "/health/summary", anyone, s.getSummary},
		{"GET", "/ready", anyone, s.getReady},
		{"GET", "/v1/runtimes", anyone, s.getRuntimes},
		{"GET", "/v1/observability/summary", anyone, s.getFleet},
		{"GET", "/metrics", anyone, s.getMetrics},
		{"GET", "/openapi.json", anyone, made("application/json; charset=utf-8", contractJSON)},
		{"GET", "/docs", anyone, static("text/html; charset=utf-8", docsHTML)},
		{"GET", "/docs/docs.css", anyone, static("text/css; charset=utf-8", docsCSS)},
		{"GET", "/docs/docs.js", anyone, static("text/javascript; charset=utf-8", docsJS)},
		{"GET", "/admin/observability", anyone, showPage},
		{"GET", "/ui/page.css", anyone, static("text/css; charset=utf-8", pageCSS)},
		{"GET", "/ui/page.js", anyone, static("text/javascript; charset=utf-8", pageJS)},

		{"POST", "/v1/jobs", countsItself, s.createJob},
		{"GET", "/v1/jobs", tenants, s.listJobs},
		{"GET", "/v1/jobs/:jobId", countsItself, s.getJob},
		{"DELETE", "/v1/jobs/:jobId", tenants, s.cancelJob},
		{"GET", "/v1/jobs/:jobId/events", tenants, s.getEvents},
		{"DELETE", "/v1/jobs/:jobId/data", tenants, s.deleteData},
		{"POST", "/v1/jobs/:jobId/analyze", tenants, s.analyzeJob},
		{"POST", "/v1/jobs/:jobId/rerun", tenants, s.rerunJob},
		{"GET", "/v1/jobs/:jobId/deliveries", tenants, s.getDeliveries},
		{"POST", "/v1/jobs/:jobId/deliveries", tenants, s.redeliver},
		{"POST", "/v1/batch", tenants, s.createBatch},

		{"POST", "/executions", countsItself, s.createJob},
		{"GET", "/executions", tenants, s.listJobs},
		{"GET", "/executions/:jobId", countsItself, s.getJob},
		{"DELETE", "/executions/:jobId", tenants, s.cancelJob},
		{"GET", "/executions/:jobId/logs", tenants, s.getLogs},
		{"POST", "/executions/:jobId/analyze", tenants, s.analyzeJob},
		{"GET", "/executions/:jobId/events", anyone, s.redirectEvents},

		{"GET", "/v1/quotas", tenants, s.getQuotas},
		{"GET", "/v1/costs", tenants, s.getCosts},
		{"GET", "/v1/audit", tenants, s.getAudit},

		{"POST", "/v1/task/payload", tasks, s.taskPayload},
		{"POST", "/v1/task/events", tasks, s.taskEvents},
		{"POST", "/v1/task/result", tasks, s.taskResult},

		{"GET", "/v1/admin/metrics", admins, s.getAdminMetrics},
		{"POST", "/v1/admin/runbook/dlq", admins, s.replayDead},
		{"POST", "/v1/admin/simulate/burst", admins, s.simulateBurst},
	}
}

// New returns the API over a queue. The error names the option that is missing or out of range.
func New(opts Options) (*Server, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	allowed, err := parseOrigins(opts.Origins)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, origins: allowed,
		bodies: newBudget(tenantBodies), answers: newBudget(answersRoom),
		anonymousBodies: newBudget(anonymousBodies),
		conns:           newBudget(connsRoom()), lingering: newBudget(maxLingering),
		authFailures: newAuthFailures(),
		beat:         live.Heartbeat,
		modelCalls:   semaphore.NewWeighted(maxModelCalls),
		webhooks:     webhook.NewSender(opts.Webhooks),
		inFlight:     newInFlight(),
		name:         "api-" + uuid.NewString(),
		// Neither redirects nor 405: a slash at the end counts, and an unknown method is an unknown route.
		router: &httprouter.Router{},
	}
	s.metrics = newAPIMetrics(s)
	if s.opts.Trace == nil {
		s.opts.Trace = noop.NewTracerProvider()
	}
	s.tracer = s.opts.Trace.Tracer("ccee-api")
	s.draining, s.drain = context.WithCancel(context.Background())
	s.submit = submit.New(submit.Options{
		Queue: opts.Queue, Log: opts.Log, Languages: opts.Languages,
		RateLimit: opts.RateLimit, SubmitLimit: opts.SubmitLimit, RateWindow: opts.RateWindow,
		MaxSourceBytes: opts.MaxSourceBytes, MaxStdinBytes: opts.MaxStdinBytes, MaxAttempts: opts.MaxAttempts, MaxStoredBytes: opts.MaxStoredBytes,
		Timeout: redisTimeout, Draining: s.draining, Observe: s.observe,
	})
	for _, rt := range s.routes() {
		s.router.Handle(rt.method, rt.path, s.serve(rt))
		if rt.method == http.MethodGet {
			s.router.Handle(http.MethodHead, rt.path, s.serve(rt))
		}
	}
	s.router.NotFound = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.begin(w, r, nil, "")
		defer c.end()
		if !s.cors(c) {
			c.notFound()
		}
	})
	return s, nil
}

// observe counts a submission, and passes on that a job was admitted.
func (s *Server) observe(tenant, language string, a queue.Admission, err error) {
	s.metrics.submitted(tenant, language, a, err)
	if err == nil && !a.Replayed && s.opts.Submitted != nil {
		s.opts.Submitted()
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.router.ServeHTTP(w, forRouter(r))
}

// serve returns the handler of a route with all that is done for every request before and after it.
func (s *Server) serve(rt route) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		c := s.begin(w, r, elements(r, params), rt.path)
		c.scopes = rt.scopes()
		defer c.end()
		if rt.access == tasks {
			rt.handle(c)
			return
		}
		s.cors(c)
		defer c.releaseBody()
		s.authenticate(c, rt)
		if rt.method == http.MethodPost && !s.takeBody(c) {
			return
		}
		c.answer = s.answers.reservation(c.who.Tenant)
		defer c.releaseAnswer()
		if !s.admitCaller(c) || rt.access == tenants && !s.countRequest(c) {
			return
		}
		rt.handle(c)
	}
}
