// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

func TestPostRun(t *testing.T) {
	s := serve(t, 0, prints)
	resp, body := s.ask(t, "POST", "/v1/run", specBody, "*/*")
	var res job.Result
	if err := json.Unmarshal([]byte(body), &res); err != nil || resp.StatusCode != 200 || res.Status != job.Succeeded {
		t.Errorf("HTTP %d %s (%v), want one result", resp.StatusCode, body, err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{`"job":"j1"`, `"tenant":"acme"`, `"language":"python"`, `"verdict":"exited"`, `"peerPid":`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("log %s lacks %s", s.log.String(), want)
		}
	}
}

func TestPostRunStream(t *testing.T) {
	s := serve(t, 0, prints)
	resp, body := s.ask(t, "POST", "/v1/run", specBody, "application/x-ndjson")
	if got := resp.Header.Get("Content-Type"); got != ndjson {
		t.Errorf("content type %q, want %q", got, ndjson)
	}
	var types []string
	for line := range strings.Lines(body) {
		var ev job.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		types = append(types, string(ev.Type))
	}
	if got := strings.Join(types, " "); got != "started stdout exited result" {
		t.Errorf("events %q", got)
	}
}

// Each event must arrive when it happens, not when a buffer is full.
func TestStreamIsLive(t *testing.T) {
	next := make(chan struct{})
	s := serve(t, 0, func(ctx context.Context, spec job.Spec, emit func(job.Event) error) (job.Result, error) {
		_ = emit(job.Event{Type: job.EventStarted, Step: "run"})
		<-next
		return prints(ctx, spec, emit)
	})
	req, _ := http.NewRequestWithContext(patience.Context(t), "POST", "http://daemon/v1/run", strings.NewReader(specBody))
	req.Header.Set("Accept", ndjson)
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	first, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(first, `"started"`) {
		t.Errorf("first line %q, %v, want started before the job goes on", first, err)
	}
	close(next)
	if rest, err := io.ReadAll(lines); err != nil || !bytes.Contains(rest, []byte(`"event":"result"`)) {
		t.Errorf("rest %q, %v, want the result", rest, err)
	}
}

func TestErrorsOnTheWire(t *testing.T) {
	fail := func(err error) runFunc {
		return func(context.Context, job.Spec, func(job.Event) error) (job.Result, error) { return job.Result{}, err }
	}
	for _, tt := range []struct {
		name, method, path, body string
		run                      runFunc
		status                   int
		code                     job.Code
	}{
		{"bad body", "POST", "/v1/run", "{", nil, 400, job.EInvalid},
		{"no source", "POST", "/v1/run", `{"id":"a","language":"python"}`, nil, 400, job.EInvalid},
		{"too large", "POST", "/v1/run", `{"id":"` + strings.Repeat("x", maxBody) + `"}`, nil, 413, job.ETooLarge},
		{"refused by the runner", "POST", "/v1/run", specBody, fail(job.Invalid("language", "is odd")), 400, job.EInvalid},
		{"busy", "POST", "/v1/run", specBody, fail(job.Errorf(job.EBusy, "full")), 503, job.EBusy},
		{"cancelled before it ran", "POST", "/v1/run", specBody, fail(job.Errorf(job.ECancelled, "taken back")), 499, job.ECancelled},
		{"our fault", "POST", "/v1/run", specBody, fail(errors.New("secret cause")), 500, job.EInternal},
		{"unknown job", "DELETE", "/v1/run/nobody", "", nil, 404, job.ENotFound},
		{"unknown route", "GET", "/v2/run", "", nil, 404, job.ENotFound},
		{"wrong method", "PUT", "/v1/run", "", nil, 404, job.ENotFound},
		{"trailing slash", "GET", "/health/", "", nil, 404, job.ENotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, 0, tt.run)
			resp, body := s.ask(t, tt.method, tt.path, tt.body, "application/x-ndjson")
			var got struct{ Error job.Error }
			if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != tt.status || got.Error.Code != tt.code || got.Error.Message == "" {
				t.Errorf("HTTP %d %s (%v), want %d %s with a message", resp.StatusCode, body, err, tt.status, tt.code)
			}
			if strings.Contains(body, "secret") {
				t.Errorf("the answer %s tells the cause of a fault of ours", body)
			}
			if retry := resp.Header.Get("Retry-After"); (retry != "") != (tt.status == 503) {
				t.Errorf("Retry-After %q with HTTP %d", retry, tt.status)
			}
			_ = s.stop() // a job's line is written after its answer; the cleanup looks at the error
			if tt.code == job.EInternal && !strings.Contains(s.log.String(), "secret cause") {
				t.Errorf("the log %s lacks the cause", s.log.String())
			}
		})
	}
}

func TestErrorAfterTheStreamBegan(t *testing.T) {
	s := serve(t, 0, func(_ context.Context, _ job.Spec, emit func(job.Event) error) (job.Result, error) {
		_ = emit(job.Event{Type: job.EventStarted, Step: "run"})
		return job.Result{}, errors.New("broke")
	})
	resp, body := s.ask(t, "POST", "/v1/run", specBody, ndjson)
	if resp.StatusCode != 200 || !strings.HasSuffix(body, "}}\n") || !strings.Contains(body, `{"event":"error","atMs":0,"error":{"code":"internal"`) {
		t.Errorf("HTTP %d %s, want the error as the last event", resp.StatusCode, body)
	}
}

func TestLanguagesReadyMetrics(t *testing.T) {
	s := serve(t, 0, prints)
	if _, body := s.ask(t, "GET", "/v1/languages", "", ""); !strings.Contains(body, `"languages":[{"name":"python"`) || !strings.Contains(body, `"image":"sha256:p"`) {
		t.Errorf("/v1/languages: %s", body)
	}
	if resp, body := s.ask(t, "GET", "/ready", "", ""); resp.StatusCode != 200 || !strings.Contains(body, `"ready":true,"slots":1`) {
		t.Errorf("/ready: HTTP %d %s", resp.StatusCode, body)
	}
	if _, body := s.ask(t, "GET", "/metrics", "", ""); !strings.Contains(body, "ccee_daemon_slots 1\n") {
		t.Errorf("/metrics lacks ccee_daemon_slots 1: %s", body)
	}
	s.languages.list = offering().list
	if resp, body := s.ask(t, "GET", "/ready", "", ""); resp.StatusCode != 503 || !strings.Contains(body, "ccee image build") {
		t.Errorf("/ready without images: HTTP %d %s, want 503 and what to do", resp.StatusCode, body)
	}
}

func TestStrangerIsRefused(t *testing.T) {
	s := serve(t, 0, prints)
	w := &recorder{header: http.Header{}}
	req, _ := http.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, peer{uid: 77, gid: 9}), "GET", "/health", nil)
	s.ends()[0].http.Handler.ServeHTTP(w, req)
	if w.status != 403 || !strings.Contains(w.body.String(), `"forbidden"`) || !strings.Contains(s.log.String(), "peer refused") {
		t.Errorf("a stranger: HTTP %d %s, log %s, want 403 and a line in the log", w.status, w.body.String(), s.log.String())
	}
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
