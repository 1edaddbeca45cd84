// SPDX-License-Identifier: Apache-2.0

// Package view turns stored values into those of the public contract: jobs, their results and their output, and languages. Everything in
// it is pure: a stored value in, a value for encoding/json out. Golden files pin the results.
package view
