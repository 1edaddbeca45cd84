// SPDX-License-Identifier: Apache-2.0

package job

// Limits bound one step of a job (compile or run). In a request a zero field means "the default"; after Fill every field is
// set. Each has a default and a maximum on the server, and the language may ask for a minimum.
type Limits struct {
	WallMs          int64 `json:"wallMs,omitempty"`          // milliseconds of real time
	CPUMs           int64 `json:"cpuMs,omitempty"`           // milliseconds of CPU time, all processes together; the default follows WallMs
	CPUMillicores   int64 `json:"cpuMillicores,omitempty"`   // CPU rate, 1000 = one core; cgroup cpu.max
	MemoryBytes     int64 `json:"memoryBytes,omitempty"`     // cgroup memory.max, swap 0; tmpfs counts
	PidsMax         int64 `json:"pidsMax,omitempty"`         // processes and threads; cgroup pids.max
	FileSizeBytes   int64 `json:"fileSizeBytes,omitempty"`   // largest file; RLIMIT_FSIZE
	OpenFiles       int64 `json:"openFiles,omitempty"`       // descriptors a process; RLIMIT_NOFILE
	StackBytes      int64 `json:"stackBytes,omitempty"`      // RLIMIT_STACK
	TmpBytes        int64 `json:"tmpBytes,omitempty"`        // /tmp; tmpfs size
	TmpInodes       int64 `json:"tmpInodes,omitempty"`       // /tmp; tmpfs nr_inodes
	WorkspaceBytes  int64 `json:"workspaceBytes,omitempty"`  // /workspace; tmpfs size
	WorkspaceInodes int64 `json:"workspaceInodes,omitempty"` // /workspace; tmpfs nr_inodes
	OutputBytes     int64 `json:"outputBytes,omitempty"`     // kept of each of stdout and stderr; more is counted and dropped
	FloodBytes      int64 `json:"floodBytes,omitempty"`      // written to both streams together before the step is killed

	// Of the files that the job's OutputFiles match; those of the step that ends the job apply.
	OutputFilesMax   int64 `json:"outputFilesMax,omitempty"`   // how many
	OutputFileBytes  int64 `json:"outputFileBytes,omitempty"`  // in one
	OutputFilesBytes int64 `json:"outputFilesBytes,omitempty"` // in all together
	// OutputTailBytes is how many of the OutputBytes are the last ones that were written. The default is none.
	OutputTailBytes int64 `json:"outputTailBytes,omitempty"`
}

// MiB is 1,048,576 bytes.
const MiB = 1 << 20

// DefaultRun are the limits of a run step for which neither the request nor the language has others.
var DefaultRun = Limits{
	WallMs: 3_000, CPUMs: 4_000, CPUMillicores: 256, MemoryBytes: 128 * MiB, PidsMax: 128,
	FileSizeBytes: 16 * MiB, OpenFiles: 1024, StackBytes: 8 * MiB,
	TmpBytes: 64 * MiB, TmpInodes: 4096, WorkspaceBytes: 256 * MiB, WorkspaceInodes: 16_384,
	OutputBytes: 65_536, FloodBytes: 16 * MiB,
	OutputFilesMax: 64, OutputFileBytes: MiB, OutputFilesBytes: MiB,
}

// DefaultCompile are the limits of a compile step: a budget of its own, with the CPU that compilers need.
var DefaultCompile = Limits{
	WallMs: 15_000, CPUMs: 32_000, CPUMillicores: 2000, MemoryBytes: 512 * MiB, PidsMax: 128,
	FileSizeBytes: 64 * MiB, OpenFiles: 1024, StackBytes: 8 * MiB,
	TmpBytes: 64 * MiB, TmpInodes: 4096, WorkspaceBytes: 256 * MiB, WorkspaceInodes: 16_384,
	OutputBytes: 65_536, FloodBytes: 16 * MiB,
	OutputFilesMax: 64, OutputFileBytes: MiB, OutputFilesBytes: MiB,
}

// MaxLimits are the largest values that a request may ask for.
var MaxLimits = Limits{
	WallMs: 60_000, CPUMs: 488_000, CPUMillicores: 8_000, MemoryBytes: 2048 * MiB, PidsMax: 1024,
	FileSizeBytes: 256 * MiB, OpenFiles: 4096, StackBytes: 256 * MiB,
	TmpBytes: 512 * MiB, TmpInodes: 65_536, WorkspaceBytes: 1024 * MiB, WorkspaceInodes: 262_144,
	OutputBytes: MiB, OutputTailBytes: MiB, FloodBytes: 1024 * MiB,
	OutputFilesMax: 256, OutputFileBytes: 4 * MiB, OutputFilesBytes: 4 * MiB,
}

// MinLimits are the smallest values that a request may ask for: below them the kernel refuses the limit, or nothing can start.
// Arguments and environment, 64 KiB, lie on the stack, and with 64 KiB for all of it runtimes crashed now and then.
var MinLimits = Limits{
	WallMs: 1, CPUMs: 1, CPUMillicores: 10, MemoryBytes: MiB, PidsMax: 1, FileSizeBytes: 1, OpenFiles: 16, StackBytes: 262_144,
	TmpBytes: 4096, TmpInodes: 2, WorkspaceBytes: 4096, WorkspaceInodes: 2, OutputBytes: 1, OutputTailBytes: 1, FloodBytes: 1,
	OutputFilesMax: 1, OutputFileBytes: 1, OutputFilesBytes: 1,
}

// limit is one row of the table that Fill and Check walk.
type limit struct {
	name string
	at   func(*Limits) *int64
}

// limitRows names every field of Limits once.
var limitRows = []limit{
	{"wallMs", func(l *Limits) *int64 { return &l.WallMs }},
	{"cpuMs", func(l *Limits) *int64 { return &l.CPUMs }},
	{"cpuMillicores", func(l *Limits) *int64 { return &l.CPUMillicores }},
	{"memoryBytes", func(l *Limits) *int64 { return &l.MemoryBytes }},
	{"pidsMax", func(l *Limits) *int64 { return &l.PidsMax }},
	{"fileSizeBytes", func(l *Limits) *int64 { return &l.FileSizeBytes }},
	{"openFiles", func(l *Limits) *int64 { return &l.OpenFiles }},
	{"stackBytes", func(l *Limits) *int64 { return &l.StackBytes }},
	{"tmpBytes", func(l *Limits) *int64 { return &l.TmpBytes }},
	{"tmpInodes", func(l *Limits) *int64 { return &l.TmpInodes }},
	{"workspaceBytes", func(l *Limits) *int64 { return &l.WorkspaceBytes }},
	{"workspaceInodes", func(l *Limits) *int64 { return &l.WorkspaceInodes }},
	{"outputBytes", func(l *Limits) *int64 { return &l.OutputBytes }},
	{"outputTailBytes", func(l *Limits) *int64 { return &l.OutputTailBytes }},
	{"floodBytes", func(l *Limits) *int64 { return &l.FloodBytes }},
	{"outputFilesMax", func(l *Limits) *int64 { return &l.OutputFilesMax }},
	{"outputFileBytes", func(l *Limits) *int64 { return &l.OutputFileBytes }},
	{"outputFilesBytes", func(l *Limits) *int64 { return &l.OutputFilesBytes }},
}

// Fill returns l with each zero field taken from def.
func (l Limits) Fill(def Limits) Limits {
	for _, r := range limitRows {
		if p := r.at(&l); *p == 0 {
			*p = *r.at(&def)
		}
	}
	return l
}

// Check reports the first set field of l that is negative, above max, or below min, whose zero fields are MinLimits'. where is the member's
// path in the request, such as "run". The error is an *Error with code EInvalid.
func (l Limits) Check(where string, min, max Limits) error {
	min = min.Fill(MinLimits)
	for _, r := range limitRows {
		v, lo, hi := *r.at(&l), *r.at(&min), *r.at(&max)
		switch {
		case v == 0:
		case v < 0:
			return Invalid(where+"."+r.name, "is %d, it must not be negative", v)
		case v > hi:
			return Invalid(where+"."+r.name, "is %d, at most %d is allowed", v, hi)
		case v < lo:
			return Invalid(where+"."+r.name, "is %d, at least %d is needed", v, lo)
		}
	}
	return nil
}

// CheckTail reports an OutputTailBytes above OutputBytes. It is for effective limits, in which no field is zero.
func (l Limits) CheckTail(where string) error {
	if l.OutputTailBytes > l.OutputBytes {
		return Invalid(where+".outputTailBytes", "is %d, but no more than %d bytes are kept (outputBytes)", l.OutputTailBytes, l.OutputBytes)
	}
	return nil
}
