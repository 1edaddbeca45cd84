// SPDX-License-Identifier: Apache-2.0

// Package client talks to a daemon over its unix socket, or over TLS to one on another machine: see PROTOCOL.md of package daemon. It
// imports none of the code that runs as root.
//
// A refusal or fault that the daemon answered is an *job.Error. A daemon that is unreachable, or that ends before it
// answers, is an *job.Error with code EUnavailable that names the socket or the address. If the caller's context ends, the error wraps its
// cause, and the daemon kills the job.
package client
