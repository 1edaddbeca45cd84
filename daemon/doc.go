// SPDX-License-Identifier: Apache-2.0

// Package daemon is the privileged service of CCEE: it listens on a unix socket, and for other machines where it is told to,
// accepts jobs, runs each in a sandbox of its own and answers with what the kernel reported. PROTOCOL.md is for people who write workers.
//
// A job goes straight down:
//
//	serve.go      accepts connections                             listen.go remote.go refusals.go
//	caller.go     checks whose they are                           peer.go
//	handlers.go   postRun decodes the job                         body.go decode.go answer.go jobs.go
//	runner.go     Run finds its language                          language.go
//	plan          translates it into kernel words
//	slots         admits it
//	ready         has a prewarmed sandbox for it, or spawner.go builds one
//	weights.go    weighs it by how many jobs of its tenant run
//	steps.go      runs its steps in the sandbox, under the seccomp policy (filter.go)
//	plan          translates how they ended
//	outputs       reads the files that it wrote
//
// A job with tests goes from runner.go to tests.go, and from there to judge, which has runner.go run each test in a sandbox of its own.
//
// server.go builds all of it; serve.go drains it in the end; ceilings.go bounds all jobs together; selftest.go and shared.go try whether
// the sandboxes of this host hold.
//
// The daemon is the only part that imports nsjail, seccomp and rootfs. It knows no flags and no environment, never runs job code in its own
// process, and opens nothing that a job wrote but regular files in its workspace, once its processes are gone.
package daemon
