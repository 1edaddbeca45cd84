// SPDX-License-Identifier: Apache-2.0

package job

// Language is a language profile as a daemon offers it: it comes from the image's label, so an image has everything to
// run its language.
//
// In Compile, Run, Warm and the values of Env some words are replaced: {source} by the source file's name, {class} by the class to start,
// or the file's name without its extension, {memory75MiB} by 75 % of the step's memory limit in MiB (1 to 99 % may be asked for), {cpus} by
// how many cores its CPU rate comes to: rounded up, and not more than the machine has.
type Language struct {
	Name        string            `json:"name"` // "python"
	Aliases     []string          `json:"aliases,omitempty"`
	DisplayName string            `json:"displayName"`
	Runtime     string            `json:"runtime,omitempty"` // such as "OpenJDK"; "" is the DisplayName
	Version     string            `json:"version"`           // of the toolchain: "3.13.5"
	SourceFile  string            `json:"sourceFile"`
	Compile     []string          `json:"compile,omitempty"` // argv; empty: no compile step
	Run         []string          `json:"run"`               // argv; the job's Args follow
	Env         map[string]string `json:"env,omitempty"`
	// Warm is the argv of a program that can be started before there is a job. It stops itself (SIGSTOP) when it can go no further
	// without the job's files; continued, it acts as Run. Where there is a Compile it does that first, and stops itself again after
	// success. {memory75MiB} is that of the run step.
	Warm []string `json:"warm,omitempty"`
	// WarmMemoryBytes is how much more memory Warm has in use then than Run would have: the job is not charged for it.
	WarmMemoryBytes int64 `json:"warmMemoryBytes,omitempty"`
	// PublicClass: the source is Java. Its file is named after its public type (SourceFile is for sources without one), and {class} is
	// the one in it that can be started.
	PublicClass bool `json:"publicClass,omitempty"`

	DefaultCompile Limits `json:"defaultCompile,omitzero"`
	DefaultRun     Limits `json:"defaultRun,omitzero"`
	MinCompile     Limits `json:"minCompile,omitzero"`
	MinRun         Limits `json:"minRun,omitzero"`

	Image string `json:"image,omitempty"` // digest; filled in by the daemon
}
