// SPDX-License-Identifier: Apache-2.0

// Package live sends what a job does as it happens, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
// Progress, which is pure, says which events a client has not seen yet, from live events or from the result; Stream sends them until the
// job is finished; Places bounds how many streams are open.
//
// The package reads its job through a Source and decides nothing about who may see it.
package live
