// SPDX-License-Identifier: Apache-2.0

// Package api is the public REST API: handlers that translate between HTTP and the packages below. Requests are read by api/decode,
// admitted by submit, and shown by api/view; api/live sends the events of a job, api/auth finds out who calls.
//
// It runs as an unprivileged user and never touches a sandbox: it talks to Redis, through package queue, to webhooks, and, where an
// operator has set them up, to an archive and a language model. openapi.yaml is the contract of its answers, and tests hold every answer to
// it.
//
// The contract is that of the original Cloud Code Execution Engine, so clients written for it keep working: its paths and
// aliases, field names, status codes, error bodies, header names and message texts. Three things of it look odd in Go and
// are explained where they are made: errors of the framework kind (framework.go), validation errors in the words of the zod
// library (decode/issues.go), and numbers in the query that are read like JavaScript's Number() (decode/number.go).
//
// A request goes through server.go (route table), call.go (trace id, log line), authenticate.go, body.go (bounded read), tenant.go (rate
// window) and then the handler of one resource: submit.go, jobs.go, events.go, history.go and their neighbours.
package api
