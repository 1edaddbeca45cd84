// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
)

// usageError is a mistake on the command line.
type usageError struct{ error }

// exit ends ccee with a code; a nil err prints nothing.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string { return fmt.Sprint(e.err) }
func (e exit) Unwrap() error { return e.err }

// exitCode prints err and returns the process's exit code: 2 for a mistake on the command line, as
// shells and most tools have it, 1 for anything else without a code of its own.
func exitCode(err error, stderr io.Writer) int {
	code := 1
	var e exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		if e.err == nil {
			return e.code
		}
		code = e.code
	case errors.As(err, new(usageError)):
		code = 2
	}
	fmt.Fprintf(stderr, "ccee: %v\n", err)
	return code
}
