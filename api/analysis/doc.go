// SPDX-License-Identifier: Apache-2.0

// Package analysis explains the end of a job in words and suggests what to do about it: by rules over the kernel's evidence
// (Heuristic), and, where an operator has set one up, by a language model (OpenAI).
//
// The model is asked by one POST to /chat/completions, with net/http. The provider's own Go library is not used: its types for
// all of the provider's APIs were 12.7 MB of the binary and 41 % of what had to be compiled, and each daemon keeps the whole
// binary in memory for its sandboxes. A request of five members, an answer of which one member is read, and retries that we
// make ourselves anyway are less code than the library's set-up was.
package analysis
