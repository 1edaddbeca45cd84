// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// fakeAPI is the api as a task sees it. statuses are what it answers first on a path.
type fakeAPI struct {
	*httptest.Server
	spec     job.Spec
	requests chan string // "PATH BODY"

	mu       sync.Mutex // guards the rest
	statuses map[string][]int
	cancel   bool
	nonces   map[string]bool
}

func newFakeAPI(t *testing.T) *fakeAPI {
	a := &fakeAPI{spec: job.Spec{ID: "job-1", Attempt: 1, Language: "python", Source: "x"}, requests: make(chan string, 1000),
		statuses: map[string][]int{}, nonces: map[string]bool{}}
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/v1/task/")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nonces[r.Header.Get(job.NonceHeader)] = true
	if r.Header.Get("Authorization") != "Bearer token" || r.Method != "POST" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if all := a.statuses[path]; len(all) > 0 {
		a.statuses[path] = all[1:]
		if all[0] == http.StatusFound {
			w.Header().Set("Location", a.URL+"/elsewhere")
		}
		w.WriteHeader(all[0])
		return
	}
	a.requests <- path + " " + string(body)
	if path == "payload" {
		_ = json.NewEncoder(w).Encode(a.spec)
		return
	}
	fmt.Fprintf(w, `{"cancelled":%v}`, a.cancel)
}

func (a *fakeAPI) exchange(t *testing.T) *Exchange {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	e, err := NewExchange(a.URL, "token", roots)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// await returns the body of the next request on that path.
func (a *fakeAPI) await(t *testing.T, path string) string {
	t.Helper()
	for {
		if got, body, _ := strings.Cut(patience.Receive(t, a.requests, "a request on "+path), " "); got == path {
			return body
		}
	}
}

// daemon is a Daemon made of a function.
type daemon struct {
	run       func(ctx context.Context, each func(job.Event) error) (job.Result, error)
	cancelled chan struct{}
}

func (d daemon) Stream(ctx context.Context, _ job.Spec, each func(job.Event) error) (job.Result, error) {
	return d.run(ctx, each)
}

func (d daemon) Cancel(context.Context, string) error { close(d.cancelled); return nil }

// run runs the task and returns its error when it has ended.
func run(ctx context.Context, e *Exchange, d daemon) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, e, func(context.Context) (Daemon, error) { return d, nil }, zerolog.Nop())
	}()
	return done
}

func exited(context.Context, func(job.Event) error) (job.Result, error) {
	zero := 0
	return job.Result{Status: job.Succeeded, Verdict: job.Exited, ExitCode: &zero, Steps: []job.Step{}}, nil
}

func report(t *testing.T, body string) job.Report {
	t.Helper()
	var r job.Report
	if err := json.Unmarshal([]byte(body), &r); err != nil || r.Check() != nil {
		t.Fatalf("the task reports %s: %v, %v", body, err, r.Check())
	}
	return r
}

func TestRun(t *testing.T) {
	a := newFakeAPI(t)
	a.statuses = map[string][]int{"payload": {503, 500}, "result": {502, 429, 408}}
	reported := make(chan struct{})
	done := run(t.Context(), a.exchange(t), daemon{run: func(ctx context.Context, each func(job.Event) error) (job.Result, error) {
		_ = each(job.Event{Type: job.EventStdout, Step: "run", Data: make([]byte, 150<<10)})
		select {
		case <-reported:
		case <-ctx.Done():
		}
		return exited(ctx, each)
	}})
	events := report(t, a.await(t, "events")).Events
	close(reported)
	var offset int64
	for _, ev := range events {
		if ev.Offset != offset {
			t.Errorf("an event at %d, want %d", ev.Offset, offset)
		}
		offset += int64(len(ev.Data))
	}
	if offset != 150<<10 {
		t.Errorf("%d bytes in the events, want all", offset)
	}
	if r := report(t, a.await(t, "result")); r.Result == nil || r.Result.Status != job.Succeeded {
		t.Errorf("result %+v", r)
	}
	if err := patience.Receive(t, done, "the task ends"); err != nil {
		t.Error(err)
	}
	if len(a.nonces) != 1 {
		t.Errorf("%d nonces in one task, want 1", len(a.nonces))
	}
}

func TestInterrupted(t *testing.T) {
	a := newFakeAPI(t)
	ctx, interrupt := context.WithCancel(t.Context())
	d := daemon{cancelled: make(chan struct{}), run: func(ctx context.Context, _ func(job.Event) error) (job.Result, error) {
		interrupt()
		<-ctx.Done()
		return job.Result{}, ctx.Err()
	}}
	done := run(ctx, a.exchange(t), d)
	if r := report(t, a.await(t, "result")); !r.Interrupted {
		t.Errorf("%+v, want an interruption", r)
	}
	if err := patience.Receive(t, done, "the task ends"); !errors.Is(err, ErrInterrupted) {
		t.Errorf("Run = %v, want ErrInterrupted", err)
	}
}

// A job that is cancelled ends in order, with what it wrote.
func TestCancelled(t *testing.T) {
	a := newFakeAPI(t)
	a.cancel = true
	d := daemon{cancelled: make(chan struct{})}
	d.run = func(ctx context.Context, _ func(job.Event) error) (job.Result, error) {
		select {
		case <-d.cancelled:
			return job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled, Steps: []job.Step{}}, nil
		case <-ctx.Done():
			return job.Result{}, ctx.Err()
		}
	}
	done := run(t.Context(), a.exchange(t), d)
	if r := report(t, a.await(t, "result")); r.Result == nil || r.Result.Status != job.StatusCancelled {
		t.Errorf("%+v, want a cancelled result", r)
	}
	if err := patience.Receive(t, done, "the task ends"); err != nil {
		t.Error(err)
	}
}

// A void token ends the job, and the task at once.
func TestVoid(t *testing.T) {
	for path, status := range map[string]int{"payload": 401, "events": 409, "result": 410} {
		a := newFakeAPI(t)
		a.statuses[path] = []int{status}
		done := run(t.Context(), a.exchange(t), daemon{run: func(ctx context.Context, each func(job.Event) error) (job.Result, error) {
			if path != "events" {
				return exited(ctx, each)
			}
			<-ctx.Done()
			return job.Result{}, ctx.Err()
		}})
		if err := patience.Receive(t, done, "the task ends"); !errors.Is(err, ErrVoid) {
			t.Errorf("HTTP %d on %s: Run = %v, want ErrVoid", status, path, err)
		}
	}
}

func TestDaemonFails(t *testing.T) {
	a := newFakeAPI(t)
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), a.exchange(t), func(context.Context) (Daemon, error) { return nil, errors.New("no images") },
			zerolog.Nop())
	}()
	if r := report(t, a.await(t, "result")); r.Error == nil || r.Error.Code != job.EUnavailable || !strings.Contains(r.Error.Message,
		"no images") {
		t.Errorf("%+v, want an error", r)
	}
	if err := patience.Receive(t, done, "the task ends"); err != nil {
		t.Error(err)
	}
}

// The token goes to nobody but the api that was named, with a certificate that is believed.
func TestTokenStays(t *testing.T) {
	a := newFakeAPI(t)
	a.statuses["events"] = []int{302}
	if _, err := a.exchange(t).Events(t.Context(), nil); err == nil || strings.Contains(err.Error(), "token ") {
		t.Errorf("a redirect = %v, want an error", err)
	}
	if len(a.requests) != 0 {
		t.Error("the redirect was followed")
	}
	stranger, err := NewExchange(a.URL, "token", x509.NewCertPool())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Events(t.Context(), nil); err == nil {
		t.Error("an unknown certificate was believed")
	}
	if len(a.nonces) != 1 {
		t.Errorf("%d requests arrived, want the redirected one alone", len(a.nonces))
	}
	for _, bad := range []string{"", "api", "http://api.internal", "http://10.0.0.1", "https://", "https://u:p@h", "https://h?x",
		"ftp://h", "http://localhost"} {
		if _, err := NewExchange(bad, "token", nil); err == nil {
			t.Errorf("NewExchange takes %q", bad)
		}
	}
	for _, good := range []string{"https://api.internal/", "https://h:8443/base", "http://127.0.0.1:8080", "http://[::1]:8080"} {
		if _, err := NewExchange(good, "token", nil); err != nil {
			t.Errorf("NewExchange(%q) = %v", good, err)
		}
	}
	if _, err := NewExchange("https://h", "", nil); err == nil {
		t.Error("NewExchange takes no token")
	}
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"id":"a","language":"python","sourceCode":"x"}`))
	f.Add([]byte(`{"id":"../../x","language":"python","files":[{"name":"../x"}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if spec, err := decodeSpec(b); err == nil && spec.Validate() != nil {
			t.Errorf("decodeSpec(%q) lets through a job that is none", b)
		}
		_, _ = decodeAnswer(b)
	})
}
