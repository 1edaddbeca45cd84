// SPDX-License-Identifier: Apache-2.0

// Command mutate breaks one line of a package at a time and runs its tests: a mutation that no test notices survives.
//
//	go run ./mutate -n 20 job api/webhook     # 20 mutations of each, drawn by -seed
//	go run ./mutate -with ./worker queue      # the tests of worker may notice too
//	go run ./mutate -list nsjail              # which there are
//
// Go is mutated by operators on the syntax tree (operators.go), Lua and C by a table beside the package, testdata/mutations.tsv (table.go).
// The tree is copied first, so the checkout is never touched. A mutation that does not compile counts for nothing, one whose tests take too
// long is killed, and one in a line that no test reaches survives without a run.
//
// gremlins (go-gremlins/gremlins), the one well-kept tool that the module proxy has, can't draw a sample by a seed, does not drop defers or
// errors, runs no other package's tests, and knows nothing of Lua and C.
package main
