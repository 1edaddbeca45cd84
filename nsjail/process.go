// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"slices"
)

// hostID is the host's id for an id inside, or -1 if it is not mapped.
func hostID(maps []IDMap, id uint32) int {
	for _, m := range maps {
		if d := int64(id) - m.ContainerID; d >= 0 && d < m.Size {
			return int(m.HostID + d)
		}
	}
	return -1
}

// copies reports whether any of p's files is a copy from p.Source.
func (p *Process) copies() bool {
	return slices.ContainsFunc(p.Files, func(f File) bool { return f.Copy > 0 })
}

// check refuses a Process that would not be bounded, or that the maps don't cover.
func (p *Process) check(cfg Config) error {
	bad := func(format string, args ...any) error { return fmt.Errorf("sandbox process: "+format, args...) }
	switch {
	case len(p.Args) == 0 || len(p.Args) >= stringsMax:
		return bad("%d arguments, want 1 to %d", len(p.Args), stringsMax-1)
	case len(p.Env) >= stringsMax:
		return bad("%d environment entries, want at most %d", len(p.Env), stringsMax-1)
	case len(p.Rlimits) > rlimitsMax:
		return bad("%d rlimits, want at most %d", len(p.Rlimits), rlimitsMax)
	case len(p.Seccomp) == 0:
		return bad("no seccomp filter")
	case p.WallTime <= 0 || p.CPUTime <= 0 || p.OutputMax <= 0 || p.FloodMax <= 0:
		return bad("wall time %v, CPU time %v, output %d, flood %d: each must be set", p.WallTime, p.CPUTime, p.OutputMax, p.FloodMax)
	case p.OutputTail < 0 || p.OutputTail > p.OutputMax:
		return bad("output tail %d, want 0 to %d", p.OutputTail, p.OutputMax)
	case p.Resources.MemoryMax <= 0 || p.Resources.PidsMax <= 0 || p.Resources.CPUMillicores <= 0:
		return bad("limits %+v: each must be set", p.Resources)
	case p.MayPause && (p.Interleave || len(p.Stdin) > 0):
		return bad("a program that may pause has neither Stdin nor Interleave")
	case hostID(cfg.UIDMappings, p.UID) < 0 || hostID(cfg.GIDMappings, p.GID) < 0:
		return bad("uid %d gid %d is not mapped", p.UID, p.GID)
	}
	return nil
}
