// SPDX-License-Identifier: Apache-2.0

// Package task answers the processes that run one job each in an ECS task: it gives them the job and takes their reports. A route's
// credential is the task's token (package handoff) with the task's nonce; API keys and tenants' tokens open nothing here, and a task's
// token opens nothing else. A caller is refused by its credential before its body is read.
//
//	POST /v1/task/payload                       -> 200 the job (job.Spec)
//	POST /v1/task/events   {"events":[...]}     -> 200 {"cancelled":false}
//	POST /v1/task/result   {"result":{...}}     -> 200 {"cancelled":false}; or "error", or "interrupted"
//
// 401 means that the token is void, 409 that another process has the job, 410 that the job has ended: the caller ends itself. It tries
// again after 429 and 5xx.
package task
