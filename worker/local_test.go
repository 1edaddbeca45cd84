// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// serveDaemon answers the daemon's protocol on a socket of the test's own.
func serveDaemon(t *testing.T, mux http.Handler) *Local {
	t.Helper()
	dir, err := os.MkdirTemp("", "local-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "d.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return NewLocal(socket)
}

func TestLocalCancelKeepsTheResult(t *testing.T) {
	running, cancelled := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/run", func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-cancelled
		json.NewEncoder(w).Encode(job.Event{Type: job.EventResult, Result: &job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled, WallMs: 7}})
	})
	mux.HandleFunc("DELETE /v1/run/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("id"); id != "job-1" {
			t.Errorf("cancel of %q", id)
		}
		close(cancelled)
		w.WriteHeader(http.StatusNoContent)
	})
	ctx, cancel := context.WithCancel(patience.Context(t))
	go func() { <-running; cancel() }()
	res, err := serveDaemon(t, mux).Run(ctx, job.Spec{ID: "job-1"}, func(job.Event) {})
	if err != nil || res.Status != job.StatusCancelled || res.WallMs != 7 {
		t.Errorf("run = %+v, %v, want the daemon's cancelled result", res, err)
	}
}

func TestLocalHangsUpWhenCancelIsRefused(t *testing.T) {
	running, gone := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/run", func(w http.ResponseWriter, r *http.Request) {
		var spec job.Spec
		if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
			t.Error(err)
		}
		close(running)
		<-r.Context().Done()
		close(gone)
	})
	mux.HandleFunc("DELETE /v1/run/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		json.NewEncoder(w).Encode(map[string]any{"error": job.Errorf(job.ENotFound, "no such job")})
	})
	ctx, cancel := context.WithCancel(patience.Context(t))
	go func() { <-running; cancel() }()
	if _, err := serveDaemon(t, mux).Run(ctx, job.Spec{ID: "job-1"}, func(job.Event) {}); err == nil {
		t.Error("run without an answer succeeded")
	}
	patience.Receive(t, gone, "the daemon sees that its caller is gone")
}

// A daemon that takes the cancellation and does not end the job is not waited for.
func TestLocalHangsUpWhenCancelIsIgnored(t *testing.T) {
	running, gone := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/run", func(_ http.ResponseWriter, r *http.Request) {
		var spec job.Spec
		if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
			t.Error(err)
		}
		close(running)
		<-r.Context().Done()
		close(gone)
	})
	mux.HandleFunc("DELETE /v1/run/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	l := serveDaemon(t, mux)
	ctx, cancel := context.WithCancel(patience.Context(t))
	go func() { <-running; cancel() }()
	ended := make(chan error, 1)
	go func() {
		_, err := l.Run(ctx, job.Spec{ID: "job-1"}, func(job.Event) {})
		ended <- err
	}()
	if err := patience.Receive(t, ended, "Run ends"); err == nil {
		t.Error("run without an answer succeeded")
	}
	patience.Receive(t, gone, "the daemon sees that its caller is gone")
}

func TestLocalWithoutDaemon(t *testing.T) {
	l := NewLocal(filepath.Join(t.TempDir(), "none.sock"))
	_, err := l.Run(t.Context(), job.Spec{ID: "job-1"}, func(job.Event) {})
	if job.ErrorCode(err) != job.EUnavailable {
		t.Errorf("run = %v, want code unavailable", err)
	}
	if _, err := l.Ready(t.Context()); job.ErrorCode(err) != job.EUnavailable {
		t.Errorf("ready = %v, want code unavailable", err)
	}
}
