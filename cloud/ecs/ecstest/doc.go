// SPDX-License-Identifier: Apache-2.0

// Package ecstest is a server for tests that speaks the part of Amazon ECS's protocol that package ecs uses (JSON 1.1), and holds requests
// to AWS's documented rules: unknown members, the 8,192 characters of overrides, clientToken's idempotency, startedBy's alphabet, launch
// type or strategy but not both, names of containers, MISSING, stop codes and the ladder of states. A container is a function, or a
// process that a function starts.
//
// The rules come from the ECS API reference and the developer guide, not from what package ecs sends. Faults are switched on by tests.
package ecstest
