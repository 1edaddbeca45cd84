// SPDX-License-Identifier: Apache-2.0

// Package nsjail is the sandbox: it turns a Config into namespaces, a cgroup, a file tree and a waiting sandbox-init, runs
// Processes in it under limits, and says by kernel evidence how they ended. It speaks the kernel's words only: no JSON, no
// job types, no logging, no policy of its own.
//
// Three roles work together:
//
//	this package   in the daemon: decides, measures, classifies, kills
//	spawner        one sandbox-init process per daemon, root, single-threaded; clones sandboxes from a mount namespace
//	               that holds nothing but the image store, a /dev, a /proc and the jails' cgroups
//	sandbox-init   PID 1 of each sandbox, a clone of the spawner; obeys ops, runs the programs, reaps, reports
//
// sandbox-init is C (init.c, tree.c, network.c), linked into the same binary and executed from a sealed form of it, so that no job can
// overwrite what it was started from (CVE-2019-5736); see executable.go. What it does and in which order is written in program.go and
// nowhere else; how both talk is written in init.h.
//
// A Task makes sandboxes where a host refuses namespaces and cgroups, of the same sandbox-init by other ops: task.go says what isolates
// there, taskprogram.go is the set-up order.
//
// Cgroups are written here, and not by the manager of github.com/opencontainers/cgroups, of which only the helpers are used that read
// mounts and lists of processes. That manager makes a cgroup before a process joins it by its number, writes all limits each time that one
// is set, and neither resets a peak nor kills. Here a sandbox is cloned into its v2 cgroup while the rest of it is made, its limits change
// from step to step without a write that is not needed, and each access is three system calls (cgroupfile.go): some twenty of them are a
// good part of what a sandbox costs.
package nsjail
