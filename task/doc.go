// SPDX-License-Identifier: Apache-2.0

// Package task is the process that runs one job in an ECS task: it gets the job from the api by a one-time token, has a daemon run it,
// passes on its events, and gives back its result; api/task has the routes. It holds no other credential, and when the token is void, it
// ends the job and itself.
//
// At the interruption of a Spot task (SIGTERM) it says so at once, so that the job runs elsewhere without waiting for this task's silence.
//
// It starts no daemon: its caller knows how.
package task
