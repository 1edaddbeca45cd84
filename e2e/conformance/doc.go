// SPDX-License-Identifier: Apache-2.0

// Command conformance runs the test suites of the languages' owners, and programs with known answers, inside a jail and outside of
// any, on the files of the same image, and compares test by test. What is different must stand in a reviewed list, expected/, with its
// reason; what stands there and is different no more is an error too. Whether a test passes is the owners' business: only a
// difference is ours.
//
// Its tests are the fast part of that; make conformance runs all and writes docs/CONFORMANCE.md.
package main
