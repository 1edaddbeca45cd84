// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/rs/zerolog"
)

// maxLogLine bounds a line of Redis's log, in bytes.
const maxLogLine = 8 << 10

// redisLog writes each line of a redis-server's output as a line of ccee's own log.
type redisLog struct {
	log  zerolog.Logger
	line []byte // of which the end is missing
}

// redisLine is a line of Redis's log: process id and role, time, level, message. A signal handler's has neither time nor level. See
// _serverLog and serverLogRawFromHandler in Redis's server.c.
var redisLine = regexp.MustCompile(`^\d+:(?:[A-Z] \d\d? \w+ \d{4} [\d:.]+ ([-.*#])|signal-handler \(\d+\)) (.*)$`)

// ordinary begin the messages of an orderly start and end, which Redis 7.0 logs as warnings.
var ordinary = []string{
	"oO0OoO0OoO0Oo Redis is starting", "Redis version=", "Running mode=", "Configuration loaded", "Server initialized",
	"Received SIGTERM scheduling shutdown", "User requested shutdown", "Redis is now ready to exit",
}

// Write takes output of redis-server.
func (l *redisLog) Write(p []byte) (int, error) {
	l.line = append(l.line, p...)
	for {
		line, rest, ended := bytes.Cut(l.line, []byte("\n"))
		switch {
		case len(line) > maxLogLine:
			line, rest = l.line[:maxLogLine], l.line[maxLogLine:]
		case !ended:
			return len(p), nil
		}
		l.emit(strings.TrimSpace(string(line)))
		l.line = append(l.line[:0], rest...)
	}
}

// emit logs one line: as a warning what Redis says is one, and what is no line of its log, such as the report of a crash.
func (l *redisLog) emit(line string) {
	level, message := zerolog.WarnLevel, line
	if m := redisLine.FindStringSubmatch(line); m != nil {
		message = m[2]
		if m[1] == "*" {
			level = zerolog.InfoLevel
		} else if m[1] == "-" || m[1] == "." {
			level = zerolog.DebugLevel
		}
	}
	for _, o := range ordinary {
		if strings.HasPrefix(message, o) {
			level = zerolog.InfoLevel
		}
	}
	if message != "" {
		l.log.WithLevel(level).Str("child", "redis").Msg(message)
	}
}
