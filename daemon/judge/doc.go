// SPDX-License-Identifier: Apache-2.0

// Package judge runs a job that has tests: it builds the program once, runs it for each test in a fresh sandbox, and judges the outputs.
//
//	Tests     the programs to build and the runs, and their budget       tests.go program.go
//	Run       builds, runs the tests one after another, sums up          run.go
//	verdicts  of one test, by comparing outputs or by a checker          verdict.go compare.go
//
// A checker is a program of the job's author that reads a test's input, the output and the expected output, and whose exit code says
// whether the output is right. It runs in sandboxes of its own: the judged program never sees it, nor the expected outputs.
//
// Sandboxes are the Runner's business: the daemon's.
package judge
