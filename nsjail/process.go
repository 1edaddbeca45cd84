// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"cmp"
	"errors"
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
	if err := cmp.Or(p.checkProgram(cfg), p.checkLimits()); err != nil {
		return fmt.Errorf("sandbox process: %w", err)
	}
	return nil
}

// checkProgram reports what is wrong with what runs: lists that don't fit into the protocol (init.h), and a program without a filter.
func (p *Process) checkProgram(cfg Config) error {
	switch {
	case len(p.Args) == 0 || len(p.Args) >= stringsMax:
		return fmt.Errorf("%d arguments, want 1 to %d", len(p.Args), stringsMax-1)
	case len(p.Env) >= stringsMax:
		return fmt.Errorf("%d environment entries, want at most %d", len(p.Env), stringsMax-1)
	case len(p.Rlimits) > rlimitsMax:
		return fmt.Errorf("%d rlimits, want at most %d", len(p.Rlimits), rlimitsMax)
	case len(p.Seccomp) == 0:
		return errors.New("no seccomp filter")
	case p.MayPause && (p.Interleave || len(p.Stdin) > 0):
		return errors.New("a program that may pause has neither Stdin nor Interleave")
	case hostID(cfg.UIDMappings, p.UID) < 0 || hostID(cfg.GIDMappings, p.GID) < 0:
		return fmt.Errorf("uid %d gid %d is not mapped", p.UID, p.GID)
	}
	return nil
}

// checkLimits reports a limit that is not set, or can't be.
func (p *Process) checkLimits() error {
	switch r := p.Resources; {
	case p.WallTime <= 0 || p.CPUTime <= 0 || p.OutputMax <= 0 || p.FloodMax <= 0:
		return fmt.Errorf("wall time %v, CPU time %v, output %d, flood %d: each must be set", p.WallTime, p.CPUTime, p.OutputMax, p.FloodMax)
	case p.OutputTail < 0 || p.OutputTail > p.OutputMax:
		return fmt.Errorf("output tail %d, want 0 to %d", p.OutputTail, p.OutputMax)
	case r.MemoryMax <= 0 || r.PidsMax <= 0 || r.CPUMillicores <= 0:
		return fmt.Errorf("limits %+v: each must be set", r)
	}
	return nil
}
