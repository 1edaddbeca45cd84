// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ccee-dev/ccee/e2e/patience"
)

const observability = "../infra/observability"

func scrape(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(b)
}

// Every metric that the dashboard and the alert rules name is one that the service has.
func TestDashboardAndRulesNameWhatThereIs(t *testing.T) {
	api, worker := freePort(t), freePort(t)
	s := ownStack(t, "API_METRICS_LISTEN="+api, "WORKER_METRICS_LISTEN="+worker, "WEBHOOK_ALLOW_HTTP=true", "WEBHOOK_ALLOWED_NETS=127.0.0.0/8",
		"ARCHIVE_DATABASE_URL=postgres:///none?host=/nonexistent") // an unreachable one has its metrics too
	delivered := make(chan struct{}, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { delivered <- struct{}{} }))
	defer hook.Close()
	// Something of each kind must have happened once.
	if status, _, err := s.request("GET", "/v1/jobs", "wrong", nil); status != 401 || err != nil {
		t.Fatal(status, err)
	}
	job := python("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0); print(1)")
	job["webhook"] = body{"url": hook.URL, "secret": "0123456789abcdef"}
	if status, answer, err := s.request("POST", "/v1/jobs?waitMs=30000", key, job); status != 200 || err != nil {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	patience.Receive(t, delivered, "the webhook is delivered")
	overSocket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.socket())
	}}}
	names := namedMetrics(t, "dashboard.json", "rules.yml")
	// A client has its result before the sandbox is destroyed, and its webhook before the api counts the delivery: their metrics
	// change a moment later.
	patience.Until(t, "the dashboard and the rules name only metrics that exist", func() (bool, string) {
		have := scrape(t, http.DefaultClient, "http://"+api+"/metrics") + scrape(t, http.DefaultClient, "http://"+worker+"/metrics") +
			scrape(t, overSocket, "http://daemon/metrics")
		missing := slices.DeleteFunc(slices.Clone(names), func(m string) bool { return regexp.MustCompile(`(?m)^` + m + `[ {]`).MatchString(have) })
		return len(missing) == 0, fmt.Sprintf("no part has %q", missing)
	})
	public := scrape(t, &rest, s.url+"/metrics")
	if strings.Contains(public, "e2e") || strings.Contains(public, "tenant") {
		t.Errorf("the public metrics name a tenant:\n%s", public)
	}
	for _, contract := range []string{"jobs_per_second", "average_runtime_ms", "failure_rate", "queue_depth", "worker_utilization", "worker_running", "worker_desired", "worker_pending"} {
		if !strings.Contains(public, "# TYPE ccee_"+contract+" gauge\n") || !strings.Contains(public, "# HELP ccee_"+contract+" ") {
			t.Errorf("the public metrics have no gauge ccee_%s", contract)
		}
	}
}

// namedMetrics returns the metrics that these files name.
func namedMetrics(t *testing.T, files ...string) (names []string) {
	t.Helper()
	for _, file := range files {
		b, err := os.ReadFile(filepath.Join(observability, file))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, regexp.MustCompile(`\bccee_[a-z_]+`).FindAllString(string(b), -1)...)
	}
	if len(names) < 30 {
		t.Errorf("only %d names were found", len(names))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestAlertRules(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal("promtool is not installed: make test-deps")
		}
		t.Skip("promtool is not installed: make test-deps")
	}
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = observability
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// spans is an OTLP collector that remembers what it was sent.
type spans struct {
	mu   sync.Mutex
	seen []span
}

type span struct{ service, name, trace, id, parent string }

func (c *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(b, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		service := ""
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.seen = append(c.seen, span{service, s.Name, fmt.Sprintf("%x", s.TraceId), fmt.Sprintf("%x", s.SpanId), fmt.Sprintf("%x", s.ParentSpanId)})
			}
		}
	}
}

// One trace follows a job from the client's request through api, worker and daemon.
func TestTracesFollowAJob(t *testing.T) {
	c := &spans{}
	srv := httptest.NewServer(c)
	defer srv.Close()
	s := ownStack(t, "OTEL_ENABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT="+srv.URL+"/v1/traces")
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	req, err := http.NewRequest("POST", s.url+"/v1/jobs?waitMs=30000", strings.NewReader(`{"language":"python","sourceCode":"print(1)"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("x-api-key", key)
	req.Header.Set("traceparent", "00-"+trace+"-"+parent+"-01")
	resp, err := rest.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	if err := s.down(); err != nil { // which sends what is left
		t.Fatal(err)
	}
	byName := map[string]span{}
	for _, sp := range c.seen {
		if sp.trace == trace {
			byName[sp.name] = sp
		}
	}
	for name, want := range map[string]struct{ service, under string }{
		"POST /v1/jobs":      {"ccee-api", ""},
		"worker.process_job": {"ccee-worker", "POST /v1/jobs"},
		"daemon.run_job":     {"ccee-daemon", "worker.process_job"},
		"daemon.wait":        {"ccee-daemon", "daemon.run_job"},
		"daemon.set_up":      {"ccee-daemon", "daemon.run_job"},
		"daemon.run":         {"ccee-daemon", "daemon.run_job"},
		"daemon.tear_down":   {"ccee-daemon", "daemon.run_job"},
	} {
		got, there := byName[name]
		up := parent
		if want.under != "" {
			up = byName[want.under].id
		}
		if !there || got.service != want.service || got.parent != up {
			t.Errorf("span %s: %+v, want one of %s under %q (%s)", name, got, want.service, want.under, up)
		}
	}
}
