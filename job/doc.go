// SPDX-License-Identifier: Apache-2.0

// Package job holds the wire types that every part of CCEE shares: the request for a job (Spec, Limits), its outcome
// (Result, Step, Verdict, Usage), the events on the way (Event), the languages (Language) and the refusal of a request (Error).
//
// They travel as JSON over the daemon's unix socket, through Redis and, flattened to the public contract by package api,
// to REST clients. Old and new processes run side by side, so the types only grow: readers ignore members they don't know.
//
// The package imports nothing but the standard library and does no I/O.
package job
