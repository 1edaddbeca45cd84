// Package api is the public REST API. It turns HTTP requests into jobs on the queue and what the queue knows into JSON.
//
// It runs as an unprivileged user and never touches a sandbox: it talks to Redis, through package queue, and to nothing
// else. openapi.yaml says what it answers, and tests hold it to that file.
//
// The contract is that of the original Cloud Code Execution Engine, so clients written for it keep working: its paths and
// aliases, field names, status codes, error bodies, header names and message texts. Three things of it look odd in Go and
// are explained where they are made: errors of the framework kind (framework.go), validation errors in the words of the zod
// library (issues.go), and numbers in the query that are read like JavaScript's Number() (number.go).
//
// A request goes through server.go (trace id, CORS, route table, log line), body.go (bounded read), tenant.go (who is it,
// how often) and then the handler of one resource: jobs.go, logs.go, runtimes.go, health.go.
package api
