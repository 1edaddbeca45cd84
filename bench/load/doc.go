// SPDX-License-Identifier: Apache-2.0

// Package load runs jobs on a daemon under a chosen load and measures how many end and how long they take, for ccee bench:
//
//	steps.go    a fixed number of clients, each with one job at a time
//	replay.go   jobs that arrive at given moments, whether or not the host keeps up
//	profile.go  what package bench/capacity needs to know of a host to simulate a fleet of such hosts
//
// The jobs pass the daemon's queue and limits as those of workers do. The package parses no flags and prints nothing.
package load
