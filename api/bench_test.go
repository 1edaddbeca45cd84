// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/api/auth"
)

// request sends one request without decoding the answer.
func (s *stack) request(method, target, body string) int {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", testKey)
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return w.Code
}

// endless lets its tenant have any number of jobs.
type endless struct{ auth.Authenticator }

func (e endless) Authenticate(ctx context.Context, h http.Header) (auth.Principal, error) {
	who, err := e.Authenticator.Authenticate(ctx, h)
	who.Policy = auth.Policy{MaxConcurrentJobs: 1 << 40, MaxDailyJobs: 1 << 40}
	return who, err
}

func newBenchStack(b *testing.B) *stack {
	return newStack(b, func(o *Options) {
		o.Auth = endless{o.Auth}
		o.Log = zerolog.Nop()
	})
}

// BenchmarkSubmit measures accepted submissions: decode, two windows, quota, store, queue.
func BenchmarkSubmit(b *testing.B) {
	s := newBenchStack(b)
	for b.Loop() {
		if code := s.request("POST", "/v1/jobs", helloPython); code != http.StatusAccepted {
			b.Fatalf("status %d", code)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkGetJob measures reads of a finished job.
func BenchmarkGetJob(b *testing.B) {
	s := newBenchStack(b)
	id := s.submit(helloPython)
	if err := complete(claim(b, s.queue), exited(0, "hello\n")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if code := s.request("GET", "/v1/jobs/"+id, ""); code != http.StatusOK {
			b.Fatalf("status %d", code)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}
