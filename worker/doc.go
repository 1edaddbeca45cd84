// SPDX-License-Identifier: Apache-2.0

// Package worker claims jobs from the queue and runs them on a Backend, several at a time. It decides how a job ends by the backend's
// answer (decide.go) and writes that through the job's lease, so a job that another worker has taken over is left alone.
//
// A worker claims only while its backend is ready, and only in the backend's languages (monitor.go): when the backend goes down, its jobs
// are tried again, and the rest wait in the queue and lose no attempt. The worker announces what can be run now. When it is told to stop,
// it claims nothing more, lets running jobs finish within the drain time, and hands the rest back.
//
// It knows nothing of sandboxes. Local speaks to a daemon's socket. Pool speaks to many daemons: discover.go finds them, member.go asks
// each how it is, choose.go chooses one for a job, and poolrun.go runs the job there or, where that fails, on another one.
package worker
