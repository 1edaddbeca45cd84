// SPDX-License-Identifier: Apache-2.0

// Package seccomp turns a system call policy into the BPF program that seccomp(2) loads.
//
// A policy is written as JSON in the format of the OCI runtime specification with Docker's additions, because operators
// already have such files: Parse and Load read one strictly, Default is the one we ship (default.json). Compile hands it to
// libseccomp and returns the program as bytes, which is all that the sandbox is given.
//
//	policy (JSON) --Parse--> Policy --rules of one Target--> libseccomp --Compile--> Program.BPF
//	                                        \--Decide--> the decision about a single call, without the kernel
//
// What is stricter here than in a container runtime:
//
//   - Only the target's own 64-bit architecture is compiled. Calls of any other (i386, x32, 32-bit ARM) kill the process, or
//     notify where refused calls do, also when archMap lists them as sub-architectures.
//   - No program changes its limit on core files: see keepCoreLimit.
//   - The program never holds a capability: "includes": {"caps": ...} never applies, "excludes": {"caps": ...} never keeps a
//     rule from applying.
//   - A misspelt member or name is an error. A name that this libseccomp is too old to know is compiled by number.
//   - Two rules that match the same call must agree: libseccomp leaves open which of them wins.
//   - Rules that libseccomp is known to compile wrongly are an error; see checkFaithful.
//   - An argument can be tested once in a rule: container runtimes turn two tests of one argument from "and" into "or".
//
// Arguments are compared as 64 bits, but the kernel looks only at the lower 32 of an int. A rule that refuses an int must
// therefore say SCMP_CMP_MASKED_EQ with the mask 0xffffffff, and one that allows an int must not say SCMP_CMP_NE or
// SCMP_CMP_GT: else setting an upper bit gets round it (CVE-2019-10063).
//
// The package doesn't load filters, doesn't log, and knows nothing of jobs.
package seccomp
