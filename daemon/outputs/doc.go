// SPDX-License-Identifier: Apache-2.0

// Package outputs reads the files that a job left in its workspace, once all its processes are gone: the files that the job's caller asked
// for (Collector), and the files of a built program that are copied into the sandboxes of its tests (ListBuilt).
//
// Everything in a workspace may be a trap. Names are resolved beneath the workspace without following a link, only regular files are
// opened, and every number and size has a bound.
package outputs
