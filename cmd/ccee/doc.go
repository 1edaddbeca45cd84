// SPDX-License-Identifier: Apache-2.0

// Command ccee is the whole Cloud Code Execution Engine in one binary.
//
//	ccee up       starts everything on one machine: redis-server, daemon, worker and api
//	ccee daemon   runs programs in jails, as root, on a unix socket
//	ccee worker   takes jobs from the queue and runs them on a daemon
//	ccee api      serves the REST API
//	ccee run      runs one file through the daemon and behaves like the program
//	ccee submit   sends one file to the REST API, waits, and behaves like the program
//	ccee image    builds, imports and manages language images
//	ccee doctor   reports what this host can do and what is missing
//
// A subcommand parses flags and environment, wires packages together, prints, and waits; the work is done in the packages:
// supervise (ccee up), doctor, policy (ccee seccomp), bench/load and bench/capacity (ccee bench), and the services' own. Nothing
// else reads flags or environment. Every setting is declared once, as a flag with its environment variable (flags win);
// secrets have no flag, because arguments are visible to every user of the machine.
package main
