// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/queue"
)

func TestHealth(t *testing.T) {
	s := newStack(t, nil)
	s.get("/health").want(t, 200, `{"status":"ok","service":"api","version":""}`)
	s.get("/ready").want(t, 200, `{"status":"ready","service":"api","reasons":[],"canRun":true,"workers":{"alive":1,"ready":1},
		"languages":["java","javascript","python"],"warnings":[]}`)
	if a := s.get("/"); a.status != 200 || a.at("service") != "ccee-api" || a.at("docs", "submitJob") != "POST /v1/jobs" ||
		a.at("docs", "jobEvents") != "GET /v1/jobs/:jobId/events" || a.at("docs", "health") != "/health" || a.at("docs", "runtimes") != "/v1/runtimes" || a.at("frontend") != "/" {
		t.Errorf("GET / = %d %s", a.status, a.raw)
	}
}

// Browsers get the page, programs the JSON.
func TestIndexForBrowsers(t *testing.T) {
	s := newStack(t, nil)
	for accept, html := range map[string]bool{"": false, "*/*": false, "application/json": false, "text/html,application/xhtml+xml,*/*;q=0.8": true} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		s.server.ServeHTTP(w, r)
		if got := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"); got != html || w.Header().Get("Vary") == "" {
			t.Errorf("Accept %q: %v", accept, w.Header())
		}
	}
}

func TestSummary(t *testing.T) {
	s := newStack(t, nil)
	for range 3 {
		s.submit(helloPython)
	}
	if err := complete(claim(t, s.queue), exited(1, "")); err != nil {
		t.Fatal(err)
	}
	claim(t, s.queue)
	delay(t, s)
	bury(t, s) // which has ended, too
	if a := s.do("DELETE", "/v1/jobs/"+s.submit(helloPython), "", nil); a.at("status") != "cancelled" {
		t.Fatal(a.raw)
	}
	a := s.get("/health/summary")
	updated, _ := a.at("updatedAt").(string)
	a.want(t, 200, `{"status":"ok","service":"api","queue":{"pending":3,"stuck":0,"counts":{"waiting":1,"active":1,"delayed":1,"paused":0,
		"prioritized":0,"waiting-children":0,"failed":1,"completed":3}},"autoscaling":{"queueDepthTarget":25},"updatedAt":"`+updated+`",
		"canRun":true,"workers":{"alive":1,"ready":1},"languages":["java","javascript","python"],"warnings":[]}`)
	if !isoTime.MatchString(updated) {
		t.Errorf("updatedAt %q", updated)
	}
}

// Redis away is a 503 in bounded time, whether nobody listens or somebody never answers.
func TestRedisAway(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "silent.sock")
	l, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, socket := range map[string]string{"absent": filepath.Join(t.TempDir(), "absent.sock"), "silent": silent} {
		t.Run(name, func(t *testing.T) {
			q, err := queue.Open("unix://"+socket, queue.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			s := newStackOn(t, q, nil)
			const unavailable = `{"error":"unavailable","reason":"queue_unreachable","traceId":"test-trace"}`
			start := time.Now()
			s.post("/v1/jobs", helloPython).want(t, 503, `{"error":"submission_unavailable","reason":"queue_unreachable","traceId":"test-trace"}`)
			if took := time.Since(start); took > redisTimeout+time.Duration(patience.Slowness())*time.Second {
				t.Errorf("answered after %s, want at most about %s", took, redisTimeout)
			}
			s.get("/v1/jobs/some-job?waitMs=30000").want(t, 503, unavailable)
			s.get("/health").want(t, 200, `{"status":"ok","service":"api","version":""}`)
			if name == "silent" {
				return // each of the others would take the whole bound as well
			}
			for _, target := range []string{"/v1/jobs", "/executions/x", "/executions/x/logs", "/health/summary", "/v1/runtimes"} {
				s.get(target).want(t, 503, unavailable)
			}
			s.do("DELETE", "/v1/jobs/x", "", nil).want(t, 503, unavailable)
			if a := s.get("/ready"); a.status != 503 || !strings.Contains(a.raw, "REDIS_URL") || !strings.Contains(a.raw, `"workers":null`) {
				t.Errorf("GET /ready = %d %s, want 503, what to look at, and no number of workers", a.status, a.raw)
			}
			if log := s.log.String(); !strings.Contains(log, socket) {
				t.Errorf("the log does not say which Redis was tried:\n%s", log)
			}
		})
	}
}

// Redis that goes away under a running API is a 503, not a wait.
func TestRedisGoesAway(t *testing.T) {
	r := redistest.New(t)
	q, err := queue.Open(r.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	announce(t, q, time.Hour, languages)
	s := newStackOn(t, q, nil)
	id := s.submit(helloPython)
	r.Kill()
	s.get("/v1/jobs/"+id+"?waitMs=30000").want(t, 503, `{"error":"unavailable","reason":"queue_unreachable","traceId":"test-trace"}`)
}
