// SPDX-License-Identifier: Apache-2.0

// Package doctor finds out what this host can do for ccee, what is missing and how to get it.
//
// Host runs all checks, for ccee doctor; the Check... functions that return an error are the same checks where a command can't start
// without them. Escape and Shared are reports of what the daemon's self-tests found: package daemon builds the sandboxes for these, and
// packages nsjail/escape and nsjail/shared hold the attempts. This package changes nothing on the host.
package doctor
