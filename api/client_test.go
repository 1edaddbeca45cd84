// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/queue"
)

// stack is an API over a queue of the test's own, with one tenant whose key is "test-key-1".
type stack struct {
	t      testing.TB
	server *Server
	queue  *queue.Queue
	tenant string
	log    *logBuffer
}

// logBuffer keeps what requests, which run at the same time, log.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

const testKey = "test-key-1"

// newStack starts the API with workers that announce languages; change, if not nil, changes its options.
func newStack(t testing.TB, change func(*Options)) *stack {
	t.Helper()
	q := newQueue(t)
	announce(t, q, time.Hour, languages)
	return newStackOn(t, q, change)
}

func newStackOn(t testing.TB, q *queue.Queue, change func(*Options)) *stack {
	t.Helper()
	s := &stack{t: t, queue: q, tenant: unique("tenant"), log: &logBuffer{}}
	opts := DefaultOptions()
	opts.Queue, opts.Log = q, zerolog.New(s.log)
	opts.Auth = gate(t, auth.APIKeyMode, nil, `["`+testKey+`", "unmapped-key"]`, `{
		"`+testKey+`": {"tenantId": "`+s.tenant+`", "maxConcurrentJobs": 1000, "maxDailyJobs": 1000},
		"tight-key":      {"tenantId": "`+s.tenant+`-tight", "maxConcurrentJobs": 2, "maxDailyJobs": 3}}`)
	opts.RateLimit, opts.SubmitLimit = 100_000, 100_000
	if change != nil {
		change(&opts)
	}
	server, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	return s
}

// gate knows the callers with these keys.
func gate(t testing.TB, mode auth.Mode, tokens *auth.JWT, admins, keys string) auth.Authenticator {
	t.Helper()
	live, err := auth.NewLive(auth.Sources{KeysJSON: keys, AdminsJSON: admins}, "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := auth.NewGate(mode, live, tokens)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// answer is a response with its body decoded.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// do sends a request with the test's key and trace id "test-trace" unless header says otherwise; a nil value removes one.
// Every answer of a route in openapi.yaml is held to that file.
func (s *stack) do(method, target, body string, header http.Header) answer {
	s.t.Helper()
	ctx := patience.Context(s.t)
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Api-Key", testKey)
	r.Header.Set("X-Request-Id", "test-trace")
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	if ctx.Err() != nil {
		s.t.Fatalf("%s %s: no end of the answer: %v", method, target, context.Cause(ctx))
	}
	a := answer{status: w.Code, header: w.Result().Header, raw: w.Body.String()}
	if a.raw != "" {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			s.t.Fatalf("%s %s: the answer is not a JSON object: %v\n%s", method, target, err, a.raw)
		}
	}
	holdToContract(s.t, r, a)
	return a
}

func (s *stack) get(target string) answer { s.t.Helper(); return s.do("GET", target, "", nil) }
func (s *stack) post(target, body string) answer {
	s.t.Helper()
	return s.do("POST", target, body, nil)
}

// submit posts a job that must be accepted and returns its id.
func (s *stack) submit(body string) string {
	s.t.Helper()
	a := s.post("/v1/jobs", body)
	if a.status != http.StatusAccepted {
		s.t.Fatalf("POST /v1/jobs %s = %d %s, want 202", body, a.status, a.raw)
	}
	return a.body["jobId"].(string)
}

const helloPython = `{"language":"python","sourceCode":"print('hello')"}`

// want fails the test unless the answer has that status and exactly that JSON.
func (a answer) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatalf("the wanted body is not JSON: %v\n%s", err, body)
	}
	if diff := cmp.Diff(want, a.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// wait returns the seconds of Retry-After, which must be there; a window of that length has just been used up.
func (a answer) wait(t testing.TB, window time.Duration) int64 {
	t.Helper()
	wait, err := strconv.ParseInt(a.header.Get("Retry-After"), 10, 64)
	if most := int64(window / time.Second); err != nil || wait > most || wait < most-100 {
		t.Errorf("retry-after %q, want nearly the %d s of the window", a.header.Get("Retry-After"), most)
	}
	return wait
}

// at returns the member of the body at a path of names.
func (a answer) at(path ...string) any {
	var v any = a.body
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}
