// SPDX-License-Identifier: Apache-2.0

// Package ecs runs Amazon ECS tasks: one a job, on Fargate: it starts them (RunTask) on Spot or on-demand capacity, watches them
// (DescribeTasks), stops them (StopTask), and stops those that nobody waits for (ListTasks). It is the only package that talks to ECS.
//
// # Files
//
//	config.go, tier.go     settings; which size of task a job needs
//	start.go, request.go   RunTask until there is a task or a reason why not; its input
//	class.go, pause.go     what a refusal of ECS means, and how long to wait after it
//	spot.go                when Spot capacity is left out, and tried again
//	watch.go               the states of tasks
//	reap.go                orphans
//	replay.go              the task that replays dead-lettered jobs
//
// # Exactly one task
//
// RunTask with a clientToken starts a task once, however often it is asked. The token is made of the job, the number of its offer (package
// handoff), which no two launches share, and the purchase option, because ECS refuses the same token with another request. So a lost answer
// is asked for again with the same token, and only a definite answer leads to another one.
//
// # Refusals
//
// Throttling, quotas and missing capacity say nothing about the job: each has pauses of its own (pause.go), with jitter, and none costs the
// job an attempt. A refusal that no waiting mends (no permission, no such cluster) is a *Fault of class Refused.
//
// DescribeTasks is eventually consistent: right after RunTask a task may be MISSING, which is its end only later (missingGrace).
//
// Nothing here was ever run against AWS. The tests hold the SDK's requests to AWS's documented rules with package ecstest.
package ecs
