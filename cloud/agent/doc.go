// SPDX-License-Identifier: Apache-2.0

// Package agent speaks with the Amazon ECS agent from inside a task: it reads the task's metadata (version 4 of that endpoint) and protects
// the task from scale-in while it works.
//
// The endpoints are in variables that ECS sets in each container, ECS_CONTAINER_METADATA_URI_V4 and ECS_AGENT_URI. The agent acts with the
// task's role, which needs ecs:UpdateTaskProtection for its own tasks. Protection keeps a service's autoscaling and deployments from
// stopping the task; it does not hold off a Spot interruption or StopTask, for which the worker drains.
//
// Nothing waits for the agent and nothing fails with it: a Guard tries again, and logs an outage when it begins and when it ends.
package agent
