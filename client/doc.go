// SPDX-License-Identifier: Apache-2.0

// Package client is a client of the REST API of CCEE, whose contract is api/openapi.yaml. It needs nothing but the standard library.
//
//	c := client.New("https://ccee.example", "KEY")
//	job, err := c.Run(ctx, client.Submission{Language: "python", SourceCode: "print(6*7)"})
//
// Run submits a job and waits for its end; Submit and Wait are its two halves, and Follow shows the output while the job runs. A program
// that fails is a Job with a status, not an error. An error that wraps an *Error is the answer of a server that refused; any other means
// that there was no answer, or none that could be read.
//
// Calls that can't do harm twice are tried again, up to four times, when the connection breaks or the server answers 503 with a short
// Retry-After. Submissions are among them: each has an idempotency key.
package client
