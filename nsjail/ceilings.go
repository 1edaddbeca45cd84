// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"path/filepath"
)

// Ceilings bound all sandboxes of a parent cgroup together. Each sandbox has limits of its own; these hold for what those leave open:
// limits whose sum is more than the machine has, and memory that the kernel keeps for sandboxes that are gone. All fields must be set.
type Ceilings struct {
	MemoryMax int64 // bytes; memory.max
	PidsMax   int64 // processes and threads, sandbox-init's too; pids.max
	CPUWeight int64 // of all together, where a process or a cgroup beside the parent has 100; cpu.weight, from 1 to 10000
}

// SetCeilings writes v to the parent cgroup. On v2 it also leaves the sandboxes no huge pages, which are charged to no memory limit.
func (c *Cgroups) SetCeilings(v Ceilings) error {
	if v.MemoryMax <= 0 || v.PidsMax <= 0 || v.CPUWeight <= 0 {
		return fmt.Errorf("ceilings %+v: each must be set", v)
	}
	memory := "memory.limit_in_bytes"
	var pages []write
	if c.at.v2() {
		memory, pages = "memory.max", noHugePages(c.at.unified)
	}
	writes := append(pages, write{c.at.pids, "pids.max", v.PidsMax}, write{c.at.memory, memory, v.MemoryMax}, weightWrite(c.at.v2(), c.at.cpu, v.CPUWeight))
	for _, w := range writes {
		if err := w.to(w.dir); err != nil {
			return fmt.Errorf("limit all sandboxes together to %v by %s: %w", w.value, w.file, err)
		}
	}
	return nil
}

// noHugePages are the limits of the controller hugetlb, where it is on in the parent cgroup's own parent. The filter refuses the calls that
// take huge pages; they are few, and one for the host.
func noHugePages(dir string) []write {
	files, _ := filepath.Glob(dir + "/hugetlb.*.max")
	var writes []write
	for _, file := range files {
		writes = append(writes, write{dir, filepath.Base(file), 0})
	}
	return writes
}
