// Package job holds the wire types that every part of CCEE shares: what a job asks for (Spec, Limits), what became of it
// (Result, Step, Verdict, Usage), what happened on the way (Event), which languages there are (Language) and how a request
// is refused (Error).
//
// They travel as JSON over the daemon's unix socket, through Redis and, flattened to the public contract by package api,
// to REST clients. Old and new processes run side by side, so the types only grow: readers ignore members they don't know.
//
// The package imports nothing but the standard library and does no I/O.
package job
