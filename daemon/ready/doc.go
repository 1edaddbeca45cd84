// SPDX-License-Identifier: Apache-2.0

// Package ready keeps prewarmed sandboxes: sandboxes that are set up before there is a job for them, so that the job does not wait for it.
//
// A Pool learns from the requests of the last minute which kinds of sandboxes jobs use. While the host has idle cores it makes sandboxes of
// these kinds, and hands each of them to one job. A kind may have a program that is started in its sandboxes: a runtime that pauses where
// it would read its source. Such sandboxes are called warm.
//
//	Pool       making, handing out and closing sandboxes   pool.go
//	kind       the sandboxes of one kind, and their demand  kind.go
//	shares     how many sandboxes each kind should have     shares.go
//	Sandbox    one prewarmed sandbox                        sandbox.go
//
// The package knows no jobs: a Request is a sandbox's configuration, a program and a tenant.
package ready
