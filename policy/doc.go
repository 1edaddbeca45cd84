// SPDX-License-Identifier: Apache-2.0

// Package policy is the operator's side of system call policies: what happens to a policy file before and while a daemon serves under it.
//
//	serve.go  a daemon under a policy file, or under the last one that worked if this one is bad
//	kept.go   the copy of the last file that worked
//	check.go  the report of ccee seccomp check: compared with the built-in policy, and tried in a sandbox
//	hello.go  the first program of each language under a policy
//
// Package seccomp compiles and compares policies, and is free of files, daemons and sandboxes; what needs these is here.
package policy
