// SPDX-License-Identifier: Apache-2.0

package decode

import "github.com/ccee-dev/ccee/job"

// Limit is one limit of a step as the public contract writes it.
type Limit struct {
	Name string
	Unit int64 // of the public number, in the unit of the job.Limits field
	At   func(*job.Limits) *int64
}

// Limits are the members of the compile and run objects of a submission, and of a step's limits in a result.
var Limits = []Limit{
	{"timeoutMs", 1, func(l *job.Limits) *int64 { return &l.WallMs }},
	{"cpuMs", 1, func(l *job.Limits) *int64 { return &l.CPUMs }},
	{"cpuMillicores", 1, func(l *job.Limits) *int64 { return &l.CPUMillicores }},
	{"memoryMb", job.MiB, func(l *job.Limits) *int64 { return &l.MemoryBytes }},
	{"pids", 1, func(l *job.Limits) *int64 { return &l.PidsMax }},
	{"fileSizeBytes", 1, func(l *job.Limits) *int64 { return &l.FileSizeBytes }},
	{"openFiles", 1, func(l *job.Limits) *int64 { return &l.OpenFiles }},
	{"stackBytes", 1, func(l *job.Limits) *int64 { return &l.StackBytes }},
	{"tmpBytes", 1, func(l *job.Limits) *int64 { return &l.TmpBytes }},
	{"tmpInodes", 1, func(l *job.Limits) *int64 { return &l.TmpInodes }},
	{"workspaceBytes", 1, func(l *job.Limits) *int64 { return &l.WorkspaceBytes }},
	{"workspaceInodes", 1, func(l *job.Limits) *int64 { return &l.WorkspaceInodes }},
	{"outputBytes", 1, func(l *job.Limits) *int64 { return &l.OutputBytes }},
	{"outputTailBytes", 1, func(l *job.Limits) *int64 { return &l.OutputTailBytes }},
	{"floodBytes", 1, func(l *job.Limits) *int64 { return &l.FloodBytes }},
	{"outputFilesMax", 1, func(l *job.Limits) *int64 { return &l.OutputFilesMax }},
	{"outputFileBytes", 1, func(l *job.Limits) *int64 { return &l.OutputFileBytes }},
	{"outputFilesBytes", 1, func(l *job.Limits) *int64 { return &l.OutputFilesBytes }},
}

// ContractBounds are the limits of the run step that the original contract has at the top level, with its narrower bounds.
var ContractBounds = map[string]Range{
	"timeoutMs":     {100, 15_000},
	"memoryMb":      {64, 512},
	"cpuMillicores": {128, 1_024},
}

// readLimits reads a compile or run object. A limit must be between what the language needs and what the server allows.
func (o *object) readLimits(floor job.Limits) job.Limits {
	var l job.Limits
	if o == nil {
		return l
	}
	known := make([]string, len(Limits))
	floor, ceiling := floor.Fill(job.MinLimits), job.MaxLimits
	for i, f := range Limits {
		known[i] = f.Name
		if v, ok := o.integer(f.Name, f.Bounds(floor, ceiling)); ok {
			*f.At(&l) = v * f.Unit
		}
	}
	o.only(known...)
	return l
}

// Bounds returns the smallest and largest public number of f between two sets of limits. No limit may be zero: that would
// mean the default behind the API.
func (f Limit) Bounds(floor, ceiling job.Limits) Range {
	least := (*f.At(&floor) + f.Unit - 1) / f.Unit
	return Range{max(1, least), *f.At(&ceiling) / f.Unit}
}

// readContractLimits reads the limits at the top level of a submission into run. A limit that run has, too, would
// have two values: the caller must choose.
func (o *object) readContractLimits(run *job.Limits, floor job.Limits) {
	for _, f := range Limits {
		r, inContract := ContractBounds[f.Name]
		if !inContract {
			continue
		}
		r.Min = max(r.Min, f.Bounds(floor, job.MaxLimits).Min)
		v, ok := o.integer(f.Name, r)
		switch at := f.At(run); {
		case !ok:
		case *at != 0:
			o.wrong(f.Name, "Give it here or in run, not both")
		default:
			*at = v * f.Unit
		}
	}
}

// checkTail notes a step that is to keep more last bytes than bytes. l are the limits that apply.
func (o *object) checkTail(step string, l job.Limits) {
	if l.CheckTail(step) != nil {
		o.iss.Field(step, "outputTailBytes: "+msgMax(l.OutputBytes))
	}
}
