// SPDX-License-Identifier: Apache-2.0

// Package escape has the probes that try to get out of a sandbox, and reads what they report. A probe is C (the tables at
// the ends of the .c files), linked into the same binary: in a sandbox the binary is executed as Args says, and a
// constructor takes over before the Go runtime starts.
//
// Each probe tries one thing that must be refused, or looks at one thing that must be so; it is visible when it succeeds and
// does no harm then. This package does not build sandboxes and knows no policy: package daemon runs the probes in the
// sandbox that jobs get, the tests of nsjail in one whose filter allows everything.
package escape

/*
#cgo CFLAGS: -O2 -Wall -Wextra -Werror
*/
import "C"
