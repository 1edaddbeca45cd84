// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/e2e/patience"
)

func TestNewRefusesBadOptions(t *testing.T) {
	q := newQueue(t)
	good := newStackOn(t, q, nil).server.opts
	for want, change := range map[string]func(*Options){
		"Queue and Auth":                 func(o *Options) { o.Queue = nil },
		"Auth must be set":               func(o *Options) { o.Auth = nil },
		"RATE_LIMIT_REQUESTS_PER_MINUTE": func(o *Options) { o.RateLimit = 0 },
		"SUBMIT_RATE_LIMIT_PER_MINUTE is 100001, it must be from 1 to 100000": func(o *Options) { o.SubmitLimit = 100_001 },
		"RATE_LIMIT_WINDOW_SECONDS is 9":                                      func(o *Options) { o.RateWindow = 9 * time.Second },
		"MAX_SOURCE_CODE_BYTES":                                               func(o *Options) { o.MaxSourceBytes = 0 },
		"MAX_STDIN_BYTES":                                                     func(o *Options) { o.MaxStdinBytes = 1_000_001 },
		"QUEUE_JOB_ATTEMPTS is 11":                                            func(o *Options) { o.MaxAttempts = 11 },
		"JOB_LIST_MAX_LIMIT":                                                  func(o *Options) { o.ListMax = 501 },
		"JOB_LIST_DEFAULT_LIMIT is 20, it must be from 1 to 10":               func(o *Options) { o.ListMax = 10 },
		"QUEUE_DEPTH_TARGET":                                                  func(o *Options) { o.QueueDepthTarget = 0 },
		"allowed origin":                                                      func(o *Options) { o.Origins = []string{"x"} },
	} {
		opts := good
		change(&opts)
		if _, err := New(opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want an error with %q", err, want)
		}
	}
}

func TestRequestLog(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	for _, tt := range []struct {
		method, target string
		want           map[string]any
	}{
		{"GET", "/v1/jobs/" + id + "?encoding=base64", map[string]any{"path": "/v1/jobs/:jobId", "statusCode": 200.0, "tenantId": s.tenant}},
		{"GET", "/health", map[string]any{"path": "/health", "statusCode": 200.0, "tenantId": ""}},
		{"PUT", "/nope?key=secret", map[string]any{"path": "", "statusCode": 404.0, "tenantId": ""}},
	} {
		s.log.Reset()
		s.do(tt.method, tt.target, "", nil)
		var line map[string]any
		if err := json.Unmarshal([]byte(s.log.String()), &line); err != nil {
			t.Fatalf("%s %s: want one JSON line: %v\n%s", tt.method, tt.target, err, s.log)
		}
		tt.want["method"], tt.want["traceId"], tt.want["message"] = tt.method, "test-trace", "request_completed"
		for name, want := range tt.want {
			if line[name] != want {
				t.Errorf("%s %s: %s is %v, want %v", tt.method, tt.target, name, line[name], want)
			}
		}
		for _, name := range []string{"subject", "durationMs"} {
			if _, there := line[name]; !there {
				t.Errorf("%s %s: no %s in the line %s", tt.method, tt.target, name, s.log)
			}
		}
		if strings.Contains(s.log.String(), testKey) || strings.Contains(s.log.String(), "secret") {
			t.Errorf("the log has a key or a query: %s", s.log)
		}
	}
}

// A client that leaves while its request waits is not a fault of Redis.
func TestClientLeavesWhileWaiting(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	s.log.Reset()
	ctx, leave := context.WithCancel(patience.Context(t))
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/jobs/"+id+"?waitMs=30000", nil)
	r.Header.Set("X-Api-Key", testKey)
	arrived := make(chan struct{}, 1)
	s.server.opts.Auth = announcing{s.server.opts.Auth, arrived}
	go func() { <-arrived; leave() }()
	s.server.ServeHTTP(w, r)
	if log := s.log.String(); !strings.Contains(log, `"statusCode":499`) || strings.Contains(log, "queue unreachable") {
		t.Errorf("want one line with status 499:\n%s", log)
	}
}

// serveOn runs the server on a port and returns its URL and a func that stops it.
func serveOn(t *testing.T, s *stack) (url string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.server.Serve(ctx, l) }()
	return "http://" + l.Addr().String(), func() error {
		cancel()
		return patience.Receive(t, done, "Serve returns")
	}
}

// announcing tells of each request that is authenticated.
type announcing struct {
	auth.Authenticator
	arrived chan<- struct{}
}

func (a announcing) Authenticate(ctx context.Context, h http.Header) (auth.Principal, error) {
	a.arrived <- struct{}{}
	return a.Authenticator.Authenticate(ctx, h)
}

func TestServeDrains(t *testing.T) {
	arrived := make(chan struct{}, 2) // one for the submission, one for the request that waits
	s := newStack(t, func(o *Options) { o.Auth = announcing{o.Auth, arrived} })
	id := s.submit(helloPython)
	patience.Receive(t, arrived, "the submission")
	url, stop := serveOn(t, s)
	req, err := http.NewRequest("GET", fmt.Sprintf("%s/v1/jobs/%s?waitMs=30000", url, id), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", testKey)
	answered := make(chan string, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answered <- resp.Status + " " + string(body)
	}()
	patience.Receive(t, arrived, "the request that waits")
	start := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if took := time.Since(start); took > drainTimeout {
		t.Errorf("draining took %s", took)
	}
	if got := patience.Receive(t, answered, "the request that waits is answered"); !strings.Contains(got, `200 OK`) || !strings.Contains(got, `"status":"queued"`) {
		t.Errorf("the waiting request got %s, want the job as it is", got)
	}
}

func TestServeReportsItsListener(t *testing.T) {
	s := newStack(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := s.server.Serve(context.Background(), l); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Serve on a closed listener = %v, want an error with its address", err)
	}
}

func TestHeaderIsBounded(t *testing.T) {
	s := newStack(t, nil)
	url, stop := serveOn(t, s)
	defer stop()
	req, err := http.NewRequest("GET", url+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Filler", strings.Repeat("x", 2*maxHeader))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d, want 431", resp.StatusCode)
	}
}
