// Package shared looks for harm that one job does to all: through a lock, a list, a queue or a disk that the host has once and
// that no cgroup or namespace divides. An abuse is C (the tables at the ends of the .c files), linked into the same binary as the probes
// of package escape are; it runs in a sandbox with a job's limits. Beside it a canary on the host does what a daemon and Redis
// do, and is timed; so it is beside a program that only uses as much CPU time, and the ratio of the two times tells.
//
// This package does not build sandboxes and knows no policy: package daemon does, for ccee doctor --shared.
package shared

/*
#cgo CFLAGS: -O2 -Wall -Wextra -Werror
#cgo LDFLAGS: -pthread
*/
import "C"
