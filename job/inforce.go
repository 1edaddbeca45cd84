package job

import "slices"

// follower is a limit whose default goes up when another one is asked for: it would take away again what was asked.
type follower struct {
	name string   // of the limit
	when []string // it follows these
	// least is what it must be where l is in force. def are the server's defaults.
	least func(l, def *Limits) int64
	down  bool // it follows downwards too
}

// followers are all that do. Any other pair of limits is about different things: each is in force as it is, whatever the other one is.
var followers = []follower{
	{"cpuMs", []string{"wallMs", "cpuMillicores"}, func(l, _ *Limits) int64 { return CPUFor(l.WallMs, l.CPUMillicores) }, true},
	{"outputBytes", []string{"outputTailBytes"}, func(l, _ *Limits) int64 { return l.OutputTailBytes }, false},
	{"outputFilesBytes", []string{"outputFileBytes"}, func(l, _ *Limits) int64 { return l.OutputFileBytes }, false},
	{"outputFileBytes", []string{"outputFilesBytes"}, func(l, _ *Limits) int64 { return l.OutputFilesBytes }, false},
	{"tmpInodes", []string{"tmpBytes"}, func(l, def *Limits) int64 { return inodesFor(l.TmpBytes, def.TmpBytes, def.TmpInodes) }, false},
	{"workspaceInodes", []string{"workspaceBytes"}, func(l, def *Limits) int64 {
		return inodesFor(l.WorkspaceBytes, def.WorkspaceBytes, def.WorkspaceInodes)
	}, false},
}

// CPUFor is the CPU time in milliseconds that a step of so much real time is given: the seconds, rounded up, and one more, as the
// original's prlimit --cpu had it, on each core that the step may use. So the time limit is what ends a program that computes.
func CPUFor(wallMs, millicores int64) int64 {
	cores := max(1, (millicores+999)/1000)
	return ((wallMs+999)/1000 + 1) * 1000 * cores
}

// inodesFor keeps the default's ratio of inodes to bytes: room for more bytes is room for more files.
func inodesFor(bytes, defBytes, defInodes int64) int64 {
	return bytes * defInodes / defBytes
}

// InForce returns the limits of a step for which l was asked: what l leaves out is the language's, else the server's default. A default
// that would take away what l asks for goes up with it; what l itself says stays.
func (l Limits) InForce(lang, def Limits) Limits {
	return l.over(lang.over(def))
}

// over is Fill, with the defaults that follow.
func (l Limits) over(def Limits) Limits {
	full := l.Fill(def)
	for _, f := range followers {
		asks := func(name string) bool { return *field(&l, name) != 0 }
		if !slices.ContainsFunc(f.when, asks) || asks(f.name) {
			continue
		}
		at, least := field(&full, f.name), f.least(&full, &def)
		if !f.down || f.least(&def, &def) != *at { // else a language gives more than it must
			least = max(least, *at)
		}
		*at = min(least, *field(&MaxLimits, f.name))
	}
	return full
}

func field(l *Limits, name string) *int64 {
	i := slices.IndexFunc(limitRows, func(r limit) bool { return r.name == name })
	return limitRows[i].at(l)
}
