// Package daemon is the privileged service of CCEE: it listens on a unix socket, takes one job after the other, runs each in
// a sandbox of its own and answers with what the kernel saw. PROTOCOL.md describes the socket for people who write workers.
//
// Roles inside the package:
//
//	Server     the socket, the routes, who may connect, draining        server.go listen.go peer.go handlers.go stream.go decode.go
//	Runner     one job from a slot to its result                        runner.go steps.go
//	slots      admission: slots, memory and CPU budget, bounded wait    slots.go budget.go
//	catalogue  the languages that the image store offers                language.go
//	plan       PURE: job words -> kernel words                          plan.go limits.go source.go proc.go
//	result     PURE: what the kernel saw -> job words                   result.go
//
// It is the only package that imports nsjail, seccomp and rootfs. It knows no flags and no environment, never runs job code
// in its own process, and opens nothing that a job has written.
package daemon
