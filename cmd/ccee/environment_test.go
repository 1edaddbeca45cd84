package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestUnknownSettings: a misspelt variable is named with the right one; what Kubernetes adds for a service called ccee is none.
func TestUnknownSettings(t *testing.T) {
	known := knownSettings(app(io.Discard, io.Discard))
	for _, tt := range []struct{ entry, nearest string }{
		{"CCEE_SLOT=4", "CCEE_SLOTS"},
		{"CCEE_DRAIN=4", "CCEE_DRAIN_MS"},
		{"CCEE_APIKEY=x", "CCEE_API_KEY"},
		{"CCEE_SECOMP=x", "CCEE_SECCOMP"},
		{"CCEE_PORT=8080", "CCEE_"},
		{"CCEE_SLOTS=4", ""},
		{"CCEE_API_KEY=x", ""},
		{"CCEE_DEBIAN_MIRROR=http://x", ""},
		{"CCEE_VM=/x", ""},
		{"PATH=/bin", ""},
		{"SLOTS=4", ""},
		{"CCEE_SERVICE_HOST=10.0.0.1", ""},
		{"CCEE_SERVICE_PORT=8080", ""},
		{"CCEE_API_SERVICE_PORT_HTTP=8080", ""},
		{"CCEE_PORT=tcp://10.0.0.1:8080", ""},
		{"CCEE_API_PORT_8080_TCP=tcp://10.0.0.1:8080", ""},
		{"CCEE_PORT_8080_TCP_ADDR=10.0.0.1", ""},
	} {
		got := unknownSettings([]string{tt.entry}, known)
		name, _, _ := strings.Cut(tt.entry, "=")
		switch {
		case tt.nearest == "" && got != nil:
			t.Errorf("%s: %q, want none", tt.entry, got)
		case tt.nearest != "" && (len(got) != 1 || !strings.Contains(got[0], "has "+name+", ") || !strings.Contains(got[0], "nearest one is "+tt.nearest)):
			t.Errorf("%s: %q, want %s", tt.entry, got, tt.nearest)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "adc", 1}, {"abc", "ac", 1}, {"kitten", "sitting", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestMisspeltSettings: a service does not start with one, another command says so and does its work.
func TestMisspeltSettings(t *testing.T) {
	t.Setenv("CCEE_SLOT", "4")
	for _, service := range []string{"up", "daemon", "worker", "api"} {
		var stderr bytes.Buffer
		code := run(t.Context(), []string{"ccee", service, "--log-level", "error"}, io.Discard, &stderr)
		if code != 2 || stderr.String() != "ccee: the environment has CCEE_SLOT, which is no setting: the nearest one is CCEE_SLOTS\n" {
			t.Errorf("ccee %s: exit code %d, %s", service, code, stderr.String())
		}
	}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"ccee", "version"}, &stdout, &stderr)
	if code != 0 || !strings.HasPrefix(stdout.String(), "ccee ") || !strings.HasPrefix(stderr.String(), "ccee: warning: the environment has CCEE_SLOT, ") {
		t.Errorf("ccee version: exit code %d, %s%s", code, stdout.String(), stderr.String())
	}
}

// TestKnownSettings: the settings of all services are known, and those that have no flag.
func TestKnownSettings(t *testing.T) {
	known := knownSettings(app(io.Discard, io.Discard))
	for _, name := range []string{"CCEE_SOCKET", "CCEE_SLOTS", "CCEE_DRAIN_MS", "CCEE_LISTEN", "CCEE_DATA", "CCEE_URL", "CCEE_API_KEY", "CCEE_DEBIAN_SECURITY_MIRROR"} {
		if !slices.Contains(known, name) {
			t.Errorf("%s is not known", name)
		}
	}
}
