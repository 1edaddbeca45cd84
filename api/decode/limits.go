package api

import "github.com/ccee-dev/ccee/job"

// limitField is one limit of a step as the public contract writes it.
type limitField struct {
	name string
	unit int64 // of the public number, in the unit of the job.Limits field
	at   func(*job.Limits) *int64
}

// limitFields are the members of the compile and run objects of a submission, and of a step's limits in a result.
var limitFields = []limitField{
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

// contractBounds are the limits of the run step that the original contract has at the top level, with its narrower bounds.
var contractBounds = map[string]intRange{
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
	known := make([]string, len(limitFields))
	floor, ceiling := floor.Fill(job.MinLimits), job.MaxLimits
	for i, f := range limitFields {
		known[i] = f.name
		if v, ok := o.integer(f.name, f.bounds(floor, ceiling)); ok {
			*f.at(&l) = v * f.unit
		}
	}
	o.only(known...)
	return l
}

// bounds returns the smallest and largest public number of f between two sets of limits. No limit may be zero: that would
// mean the default behind this edge.
func (f limitField) bounds(floor, ceiling job.Limits) intRange {
	least := (*f.at(&floor) + f.unit - 1) / f.unit
	return intRange{max(1, least), *f.at(&ceiling) / f.unit}
}

// readContractLimits reads the limits at the top level of a submission into run. Of a limit that run has too there would
// be two values: the caller must choose.
func (o *object) readContractLimits(run *job.Limits, floor job.Limits) {
	for _, f := range limitFields {
		r, inContract := contractBounds[f.name]
		if !inContract {
			continue
		}
		r.min = max(r.min, f.bounds(floor, job.MaxLimits).min)
		v, ok := o.integer(f.name, r)
		switch at := f.at(run); {
		case !ok:
		case *at != 0:
			o.wrong(f.name, "Give it here or in run, not both")
		default:
			*at = v * f.unit
		}
	}
}

// limitsView is the inverse: limits in force, in the public contract's names and units.
func limitsView(l job.Limits) map[string]int64 {
	view := make(map[string]int64, len(limitFields))
	for _, f := range limitFields {
		if v := *f.at(&l); v != 0 {
			view[f.name] = v / f.unit
		}
	}
	return view
}

// checkTail notes a step that is to keep more last bytes than bytes. l are the limits in force.
func (o *object) checkTail(step string, l job.Limits) {
	if l.CheckTail(step) != nil {
		o.iss.field(step, "outputTailBytes: "+msgMax(l.OutputBytes))
	}
}
