// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// newLogger returns a logger to stderr: JSON lines for programs, plain lines on a terminal.
func newLogger(component, level string) zerolog.Logger {
	var w io.Writer = os.Stderr
	if term.IsTerminal(int(os.Stderr.Fd())) {
		w = zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: "15:04:05.000"}
	}
	l, err := logLevel(level)
	if err != nil {
		l = zerolog.InfoLevel // the flag's validator has refused it before
	}
	return zerolog.New(w).Level(l).With().Timestamp().Str("component", component).Logger()
}

func logLevel(s string) (zerolog.Level, error) {
	switch s {
	case "debug", "info", "warn", "error":
		return zerolog.ParseLevel(s)
	}
	return 0, fmt.Errorf("must be debug, info, warn or error, not %q", s)
}
