// Package client speaks to a daemon over its unix socket: see PROTOCOL.md of package daemon. Whoever imports it gets none of
// the code that runs as root.
//
// A refusal or fault that the daemon answered is an *job.Error. A daemon that can't be reached, or that went away before it
// answered, is an *job.Error with code EUnavailable that names the socket. When the caller's context ended, the error has its
// cause in the chain, and the daemon kills the job.
package client
