// SPDX-License-Identifier: Apache-2.0

// Package shared looks for harm that one job does to all: through a lock, a list, a queue or a disk that the host has once and
// that no cgroup or namespace divides. An abuse is C (the tables at the ends of the .c files), linked into the same binary as the probes
// of package escape are; it runs in a sandbox with a job's limits. Meanwhile a canary on the host does the work of a daemon and of
// Redis, and is timed; then the same while a program only uses as much CPU time. The ratio of the two times shows the harm.
//
// This package does not build sandboxes and knows no policy: package daemon does, for ccee doctor --shared.
package shared

/*
#cgo CFLAGS: -O2 -Wall -Wextra -Werror
#cgo LDFLAGS: -pthread
*/
import "C"
