// Package view shows what is stored as the public contract has it: jobs, their results and their output, and languages. Everything in it
// is pure: a stored value in, a value that encoding/json writes out. Golden files hold results.
package view
