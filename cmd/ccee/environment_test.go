// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"net"
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

// TestNearMisses: a name that is almost a setting is named too, if it is long; another program's is not.
func TestNearMisses(t *testing.T) {
	known := knownSettings(app(io.Discard, io.Discard))
	for entry, nearest := range map[string]string{
		"WORKER_CONCURENCY=5": "WORKER_CONCURRENCY", "RATE_LIMIT_REQUESTS_PER_MINUTES=5": "RATE_LIMIT_REQUESTS_PER_MINUTE",
		"WORKER_CONCURRENCY=5": "", "REDIS_URI=x": "", "APP_PORT=1": "", "KUBERNETES_PORT=tcp://x": "", "OTEL_EXPORTER_OTLP_ENDPOINT=x": "",
	} {
		got := nearMisses([]string{entry}, known)
		if want := nearest != ""; (len(got) == 1) != want || want && !strings.HasSuffix(got[0], "the nearest one is "+nearest) {
			t.Errorf("%s: %q, want %q", entry, got, nearest)
		}
	}
}

// TestBadVariable: a value that a setting can't have gets the same answer in a variable as in a flag.
func TestBadVariable(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"JOB_TTL_SECONDS", `a"b`, "ccee: invalid value \"a\\\"b\" for variable JOB_TTL_SECONDS: must be a whole number from 1 to 31536000\n"},
		{"JOB_TTL_SECONDS", "0", "ccee: invalid value \"0\" for variable JOB_TTL_SECONDS: must be a whole number from 1 to 31536000\n"},
		{"DRY_RUN", "x", "ccee: invalid value \"x\" for variable DRY_RUN: parse error\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(tt.name, tt.value)
			var stderr bytes.Buffer
			if code := run(t.Context(), []string{"ccee", "dlq", "replay"}, io.Discard, &stderr); code != 2 || stderr.String() != tt.want {
				t.Errorf("exit code %d, %q; want 2, %q", code, stderr.String(), tt.want)
			}
		})
	}
}

// TestVersionOfACommand: --version is answered behind each command too, but not among the arguments of a program.
func TestVersionOfACommand(t *testing.T) {
	for _, command := range []string{"up", "daemon", "worker", "api", "run", "doctor"} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"ccee", command, "--version"}, &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "ccee "+version) {
			t.Errorf("ccee %s --version: exit code %d, %s%s", command, code, stdout.String(), stderr.String())
		}
	}
}

// TestOwnRedisIsNamed: who has set no REDIS_URL learns where the Redis of ccee up is.
func TestOwnRedisIsNamed(t *testing.T) {
	t.Setenv("REDIS_URL", "")
	t.Setenv("CCEE_DATA", "/srv/ccee")
	if got := hintOwnRedis(); !strings.Contains(got, "unix:///srv/ccee/redis/redis.sock") {
		t.Errorf("%q", got)
	}
	t.Setenv("REDIS_URL", "redis://db")
	if got := hintOwnRedis(); got != "" {
		t.Errorf("with REDIS_URL: %q", got)
	}
}

// TestUnreachableRedis: a command that can't reach Redis, for somebody who has set no REDIS_URL, names that of ccee up. Nobody listens on
// the default port, or else this test has nothing to try.
func TestUnreachableRedis(t *testing.T) {
	if conn, err := net.Dial("tcp", "localhost:6379"); err == nil {
		conn.Close()
		t.Skip("a Redis listens on the default port")
	}
	t.Setenv("CCEE_DATA", "/srv/ccee")
	for _, line := range []string{"dlq list", "dlq replay", "dlq drop x", "language list", "language forget x"} {
		for url, want := range map[string]bool{"": true, "redis://127.0.0.1:1": false} {
			t.Setenv("REDIS_URL", url)
			var stderr bytes.Buffer
			code := run(t.Context(), append([]string{"ccee"}, strings.Fields(line)...), io.Discard, &stderr)
			if named := strings.Contains(stderr.String(), "unix:///srv/ccee/redis/redis.sock"); code == 0 || named != want {
				t.Errorf("%s with REDIS_URL=%q: exit code %d, %s", line, url, code, stderr.String())
			}
		}
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
