// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/queue"
)

func TestFleet(t *testing.T) {
	s := newStack(t, func(o *Options) { o.FleetCapacity = 8 })
	for i := range 4 {
		s.submit(helloPython)
		if i == 3 {
			break
		}
		if err := complete(claim(t, s.queue), exited(i/2, "")); err != nil { // 0, 0, 1
			t.Fatal(err)
		}
	}
	s.submit(helloPython)
	claim(t, s.queue)
	s.submit(helloPython) // so that no two of the numbers are the same
	delay(t, s)
	a := s.get("/v1/observability/summary")
	for name, want := range map[string]any{"windowSeconds": 60.0, "jobsPerSecond": 7.0 / 60, "averageRuntimeMs": 90.0, "failureRate": 1.0 / 3, "queueDepth": 3.0,
		"activeJobs": 1.0, "workerUtilization": 1.0 / 8, "submittedJobs": 7.0, "completedJobs": 3.0, "failedJobs": 1.0} {
		if got := a.at("metrics", name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	wantGauges(t, s, map[string]float64{"ccee_jobs_per_second": 7.0 / 60, "ccee_average_runtime_ms": 90, "ccee_failure_rate": 1.0 / 3, "ccee_queue_depth": 3,
		"ccee_worker_utilization": 1.0 / 8, "ccee_worker_running": 1, "ccee_worker_desired": 1, "ccee_worker_pending": 0, "ccee_queue_active": 1, "ccee_queue_dead": 0})
	if got := fmt.Sprint(a.at("metrics", "workerFleet")); got != "map[capacity:8 desired:1 pending:0 running:1]" {
		t.Errorf("workerFleet %s", got)
	}
}

// The gauges of the contract say the same as its JSON.
func wantGauges(t *testing.T, s *stack, want map[string]float64) {
	t.Helper()
	_, _, text := metricsText(s, s.server, "/metrics")
	for name, v := range want {
		if line := "\n" + name + " " + strconv.FormatFloat(v, 'g', -1, 64) + "\n"; !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

// metricsText asks for /metrics as Prometheus does.
func metricsText(s *stack, h http.Handler, target string) (int, string, string) {
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Content-Type"), w.Body.String()
}

func TestMetrics(t *testing.T) {
	s := newStack(t, nil)
	s.submit(helloPython)
	s.do("GET", "/v1/jobs", "", http.Header{"X-Api-Key": {"wrong"}})
	s.do("GET", "/no/such/route", "", nil)
	status, kind, text := metricsText(s, s.server, "/metrics")
	if status != 200 || kind != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("%d %q", status, kind)
	}
	for _, want := range []string{
		"\nccee_queue_depth 1\n", "\nccee_queue_up 1\n", "\nccee_worker_running 1\n", "\nccee_worker_pending 0\n",
		`ccee_api_submissions_total{language="python",outcome="accepted"} 1`, `ccee_api_auth_failures_total{reason="invalid_api_key"} 1`,
		`ccee_api_requests_total{code="202",method="POST",route="/v1/jobs"} 1`, `ccee_api_requests_total{code="404",method="",route=""} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, s.tenant) || strings.Contains(text, "no/such") {
		t.Error("the public metrics name a tenant or an unknown path")
	}
	if _, _, all := metricsText(s, s.server.MetricsHandler(), "/metrics"); !strings.Contains(all, `ccee_api_tenant_submissions_total{outcome="accepted",tenant="`+s.tenant+`"} 1`) {
		t.Errorf("the internal metrics don't count by tenant:\n%s", all)
	}
}

func TestTenantSeriesAreBounded(t *testing.T) {
	s := newStack(t, nil)
	for i := range 2 * maxTenantSeries {
		s.server.metrics.submitted(fmt.Sprint("tenant ", i), "python", queue.Admission{}, nil)
	}
	_, _, text := metricsText(s, s.server.MetricsHandler(), "/metrics")
	if n := strings.Count(text, "ccee_api_tenant_submissions_total{"); n != maxTenantSeries+1 || !strings.Contains(text, `tenant="others"} 200`) {
		t.Errorf("%d series, want %d and one for the others", n, maxTenantSeries)
	}
}

func TestMetricsWithoutRedis(t *testing.T) {
	q, err := queue.Open("unix:///nonexistent/redis.sock", queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	s := newStackOn(t, q, nil)
	if status, _, text := metricsText(s, s.server, "/metrics"); status != 200 || !strings.Contains(text, "\nccee_queue_up 0\n") || strings.Contains(text, "ccee_queue_depth") {
		t.Errorf("%d %s", status, text)
	}
	a := s.get("/v1/observability/summary")
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, want 503", a.status, a.raw)
	}
}
