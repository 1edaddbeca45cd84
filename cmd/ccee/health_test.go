// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestHealth holds each part to its address, and each mistake to an exit code.
func TestHealth(t *testing.T) {
	status := map[string]int{"/health": 200, "/metrics": 200}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status[r.URL.Path]) })
	tcp := httptest.NewServer(handler)
	defer tcp.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer broken.Close()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	unix := httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	unix.Start()
	defer unix.Close()
	_, port, _ := net.SplitHostPort(tcp.Listener.Addr().String())
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"api", []string{"--listen", tcp.Listener.Addr().String(), "api"}, 0, ""},
		{"api by its port, which listens everywhere", []string{"--port", port, "api"}, 0, ""},
		{"api that fails", []string{"--listen", broken.Listener.Addr().String(), "api"}, 1, "503"},
		{"worker", []string{"--metrics-listen", tcp.Listener.Addr().String(), "worker"}, 0, ""},
		{"worker without an address", []string{"worker"}, 2, "WORKER_METRICS_LISTEN"},
		{"daemon", []string{"--socket", socket, "daemon"}, 0, ""},
		{"no daemon", []string{"--socket", socket + "x", "daemon"}, 1, "no such file"},
		{"another part", []string{"redis"}, 2, `no part "redis"`},
		{"no part", nil, 2, "name one of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"ccee", "health"}, tt.args...), &stdout, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("exit code %d, stderr %q, want %d and %q", code, stderr.String(), tt.code, tt.want)
			}
		})
	}
}
