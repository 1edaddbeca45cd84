// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/cgroups/fscommon"
	"golang.org/x/sys/unix"
)

// cpuPeriod is the CFS bandwidth period. Longer than the kernel's default of 100 ms, so that the start of a runtime fits
// into the first period's share instead of waiting for the second.
const cpuPeriod = 250 * time.Millisecond

// initMemory is the charge for a waiting sandbox-init: its pages, page tables, namespaces and mounts. It is added to
// each memory limit and subtracted from the reported peak. TestInitMemory compares it with the kernel's count: 8 to 12 pages where
// the clone itself is charged to the spawner, on v1, and 13 to 15 on v2.
const initMemory = 64 << 10

// set writes the limits that differ from those written last.
func (cg *cgroup) set(r Resources) error {
	writes := cg.memoryWrites(r.MemoryMax)
	if r.PidsMax != cg.written.PidsMax {
		writes = append(writes, write{cg.at.pids, "pids.max", r.PidsMax + 1}) // sandbox-init is the one
	}
	if r.CPUMillicores != cg.written.CPUMillicores {
		writes = append(writes, cg.cpuWrites(r.CPUMillicores)...)
	}
	if cg.written.MemoryMax > r.MemoryMax && cg.holds(r.MemoryMax+initMemory) {
		return errFull
	}
	for _, w := range writes {
		err := writeFile(w.dir, w.file, fmt.Sprint(w.value))
		// Without swap accounting there is no swap limit to write, and with none in the kernel none to forbid.
		if errors.Is(err, unix.EBUSY) && w.file == "memory.limit_in_bytes" {
			return errFull
		}
		if err != nil && !(errors.Is(err, os.ErrNotExist) && strings.Contains(w.file, "sw")) {
			return fmt.Errorf("limit %s to %v: %w", w.file, w.value, err)
		}
	}
	if r.Idle != cg.written.Idle {
		if err := cg.setIdle(r.Idle); err != nil {
			return fmt.Errorf("set the priority of CPU time: %w", err)
		}
	}
	cg.written = r
	return nil
}

// errFull: an earlier step left more memory in use, in files, than this one may have. v1 refuses such a limit
// by itself; v2 would accept it and kill sandbox-init.
var errFull = errors.New("more memory is in use than the limit")

// holds reports whether more than limit bytes could not be reclaimed, on v2.
func (cg *cgroup) holds(limit int64) bool {
	if !cg.at.v2() {
		return false
	}
	anon, err1 := fscommon.GetValueByKey(cg.at.memory, "memory.stat", "anon")
	shmem, err2 := fscommon.GetValueByKey(cg.at.memory, "memory.stat", "shmem")
	return err1 == nil && err2 == nil && int64(anon+shmem) > limit
}

// unthrottle gives the cgroup all CPUs. By a number, not by "max": with the last limit gone the kernel patches its scheduler back to one
// without limits, and forth again for the next sandbox.
func (cg *cgroup) unthrottle() error {
	const everything = 1_000_000 // millicores
	for _, w := range cg.cpuWrites(everything) {
		if err := w.to(w.dir); err != nil {
			return err
		}
	}
	return nil
}

// write is a value for a file of a cgroup.
type write struct {
	dir, file string
	value     any
}

func (cg *cgroup) memoryWrites(limit int64) []write {
	old, bytes := cg.written.MemoryMax, limit+initMemory
	switch {
	case limit == old:
		return nil
	case cg.at.v2() && old == 0:
		return []write{{cg.at.memory, "memory.max", bytes}, {cg.at.memory, "memory.swap.max", 0}, {cg.at.memory, "memory.oom.group", 1}}
	case cg.at.v2():
		return []write{{cg.at.memory, "memory.max", bytes}}
	}
	own, swap := write{cg.at.memory, "memory.limit_in_bytes", bytes}, write{cg.at.memory, "memory.memsw.limit_in_bytes", bytes}
	if old > 0 && limit > old { // the one with swap must never be the smaller one
		return []write{swap, own}
	}
	return []write{own, swap}
}

func (cg *cgroup) cpuWrites(millicores int64) []write {
	period := cpuPeriod.Microseconds()
	quota := millicores * period / 1000
	if cg.at.v2() {
		return []write{{cg.at.cpu, "cpu.max", fmt.Sprintf("%d %d", quota, period)}}
	}
	return []write{{cg.at.cpu, "cpu.cfs_period_us", period}, {cg.at.cpu, "cpu.cfs_quota_us", quota}}
}
