// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

type runFunc = func(context.Context, job.Spec, func(job.Event) error) (job.Result, error)

// served is a Server on a real socket whose jobs are run by the test.
type served struct {
	*Server
	http   *http.Client
	log    *syncBuffer
	path   string
	base   string       // of URLs
	cgroup string       // of a real daemon
	stop   func() error // ends Serve and returns what it did
}

type syncBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func serve(t *testing.T, drain time.Duration, run runFunc) *served {
	t.Helper()
	return serveWith(t, Options{Drain: drain}, run)
}

// serveWith is serve with further options.
func serveWith(t *testing.T, o Options, run runFunc) *served {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen(path, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	o.GID, o.Slots, o.Log = os.Getegid(), 1, zerolog.New(log)
	s := newServer(o, 0, l, offering(profiled("p", pythonProfile, 1)).list)
	if err := s.listenRemote(o.Remote); err != nil {
		t.Fatal(err)
	}
	s.run = run
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		err, late := patience.Wait(done, "Serve returns")
		return cmp.Or(late, err)
	})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := stop(); err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return &served{Server: s, http: client, log: log, path: path, base: "http://daemon", stop: stop}
}

// ask makes a request and returns status, header and body.
func (s *served) ask(t testing.TB, method, path, body, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(patience.Context(t), method, s.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

const specBody = `{"id":"j1","tenant":"acme","language":"python","sourceCode":"x"}`

// prints is a job that writes once and exits with 0.
func prints(_ context.Context, spec job.Spec, emit func(job.Event) error) (job.Result, error) {
	zero := 0
	res := job.Result{Status: job.Succeeded, Verdict: job.Exited, ExitCode: &zero}
	for _, ev := range []job.Event{
		{Type: job.EventStarted, Step: "run"},
		{Type: job.EventStdout, Step: "run", Data: []byte("<\xff>")},
		{Type: job.EventExited, Step: "run", Verdict: job.Exited, ExitCode: &zero},
		{Type: job.EventResult, Result: &res},
	} {
		if err := emit(ev); err != nil {
			return res, err
		}
	}
	return res, nil
}

// waits is a job that runs until its context ends; begun gets a value when it starts.
func waits(begun chan<- string) runFunc {
	return func(ctx context.Context, spec job.Spec, emit func(job.Event) error) (job.Result, error) {
		_ = emit(job.Event{Type: job.EventStarted, Step: "run"})
		begun <- spec.ID
		<-ctx.Done()
		if errors.Is(context.Cause(ctx), errShutdown) {
			return job.Result{}, errDraining()
		}
		res := job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}
		_ = emit(job.Event{Type: job.EventResult, Result: &res})
		return res, nil
	}
}
