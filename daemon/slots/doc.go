// SPDX-License-Identifier: Apache-2.0

// Package slots admits jobs: it decides how many run at once and whose turn is next.
//
// A Pool hands out numbered slots within a Budget of memory, CPU rate and processes. A job that does not fit waits, for a bounded time in a
// bounded queue, and tenants take turns. A slot's number also gives the two host ids of its sandbox (HostIDs), so the daemons of one
// host claim disjoint ranges of numbers (ClaimRange). machine.go finds out how much the machine has.
//
// The package knows nothing of sandboxes or languages: a job is a Need.
package slots
