// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// logged returns the lines of a JSON log as "level message". Each must be of the child redis.
func logged(t *testing.T, log string) (lines []string) {
	t.Helper()
	for line := range strings.Lines(log) {
		var v struct{ Level, Child, Message string }
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Child != "redis" {
			t.Errorf("%v: %q", err, line)
		}
		lines = append(lines, v.Level+" "+v.Message)
	}
	return lines
}

// The lines are Redis's: serverLogRaw of its server.c writes "%d:%c %s %c %s\n".
func TestRedisLog(t *testing.T) {
	const at = " 01 Dec 2026 12:44:54.060 "
	for _, tt := range []struct {
		in   []string // writes
		want string
	}{
		{[]string{"7:C" + at + "# Redis version=7.0.15, bits=64\n"}, "info Redis version=7.0.15, bits=64"},
		{[]string{"7:M" + at + "# Error writing to the AOF file: No space left\n"}, "warn Error writing to the AOF file: No space left"},
		{[]string{"7:M" + at + "* Ready\n7:M" + at + "- Accepted\n7:M" + at + ". x\n"}, "info Ready, debug Accepted, debug x"},
		{[]string{"7:signal-handler (179) Received SIGTERM scheduling shutdown...\n"}, "info Received SIGTERM scheduling shutdown..."},
		{[]string{"\n\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n"}, "warn *** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***"},
		{[]string{"7:M 01 Dec 2026 12:44", ":54.060 # a ", "b\n7:M 01 Dec"}, "warn a b"},
		{[]string{"# \x1b[31m\xff\"\n"}, "warn # \x1b[31m\ufffd\""},
		{[]string{strings.Repeat("x", maxLogLine) + "y\n"}, "warn " + strings.Repeat("x", maxLogLine) + ", warn y"},
	} {
		var out bytes.Buffer
		l := &redisLog{log: zerolog.New(&out)}
		for _, s := range tt.in {
			if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
				t.Errorf("%.80q: %d, %v", s, n, err)
			}
		}
		if got := strings.Join(logged(t, out.String()), ", "); got != tt.want {
			t.Errorf("%.80q: %.200q, want %.200q", tt.in, got, tt.want)
		}
	}
}

// What a real Redis writes is lines of ours, and a start and an end warn of nothing but of the host.
func TestRedisLogOfServer(t *testing.T) {
	path := requireRedis(t)
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	cmd := (&redisServer{path: path, memory: minRedisMemory, log: zerolog.New(&out)}).command()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	patience.Until(t, "redis-server answers", func() (bool, string) {
		err := redisAnswers(t.Context())
		return err == nil, fmt.Sprint(err)
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	lines := logged(t, out.String())
	for _, line := range lines {
		if strings.HasPrefix(line, "warn") && !strings.HasPrefix(line, "warn WARNING") {
			t.Errorf("an orderly start and end warns: %s", line)
		}
	}
	if len(lines) == 0 {
		t.Error("redis-server wrote nothing")
	}
}
