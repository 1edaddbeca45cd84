// SPDX-License-Identifier: Apache-2.0

// Package ecsedge is a strict stand-in for the part of Amazon ECS that the worker uses, for tests.
//
// It stands in front of moto, which answers what is not asked for here: task definitions, clusters, CloudWatch. The four calls for tasks
// (RunTask, DescribeTasks, StopTask, ListTasks) it answers itself, by the rules that AWS documents and moto does not enforce: 8,192
// characters of overrides, client tokens, at most ten tasks a call, a launch type or a strategy, names of containers, MISSING, stop codes,
// the ladder of states, token buckets. A task is a real process or container, which Options.Start starts; its agent's endpoints
// (metadata v4, scale-in protection, credentials) are served here too.
//
//	model.go    AWS's own description of the API, as botocore ships it: each request and each answer is compared with it
//	edge.go     the HTTP side: which call it is, faults, the log
//	run.go      RunTask and its rules
//	tasks.go    DescribeTasks, ListTasks, StopTask
//	task.go     one task on its way up and down the ladder
//	agent.go    what a task sees of the ECS agent
//	faults.go   what goes wrong on purpose, by a seed
//
// What AWS doesn't document (texts of messages, how long each state lasts) is a guess here, and nothing may depend on it.
package ecsedge
