// SPDX-License-Identifier: Apache-2.0

package job

import "slices"

// follower is a limit whose default rises with another one that was asked for: it would defeat that request.
type follower struct {
	name string   // of the limit
	when []string // it follows these
	// least returns the least value that it must have where l applies. def are the server's defaults.
	least func(l, def *Limits) int64
	down  bool // it follows downwards too
}

// followers are all of them. Other pairs of limits are independent: each applies as it is, whatever the other one is.
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

// CPUFor returns the default CPU time of a step, in milliseconds, for its real time: the seconds, rounded up, and one more, as in the
// original's prlimit --cpu, on each core that the step may use. So a program that computes is ended by its time limit.
func CPUFor(wallMs, millicores int64) int64 {
	cores := max(1, (millicores+999)/1000)
	return ((wallMs+999)/1000 + 1) * 1000 * cores
}

// inodesFor keeps the default's ratio of inodes to bytes: room for more bytes is room for more files.
func inodesFor(bytes, defBytes, defInodes int64) int64 {
	return bytes * defInodes / defBytes
}

// Effective returns the limits that apply to a step for which l was asked: a zero field is the language's default, else the server's. A
// default that would defeat a limit in l rises with it; the limits in l themselves stay.
func (l Limits) Effective(lang, def Limits) Limits {
	return l.over(lang.over(def))
}

// over is Fill with the defaults that follow.
func (l Limits) over(def Limits) Limits {
	full := l.Fill(def)
	for _, f := range followers {
		asks := func(name string) bool { return *field(&l, name) != 0 }
		if !slices.ContainsFunc(f.when, asks) || asks(f.name) {
			continue
		}
		at, least := field(&full, f.name), f.least(&full, &def)
		if !f.down || f.least(&def, &def) != *at { // otherwise a language gives more than it must
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
