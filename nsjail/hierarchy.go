// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/cgroups"
)

// hierarchies are the mounted cgroup trees that a sandbox needs. On a v2 host all are one; on a hybrid host the
// controllers are v1 trees and the v2 tree is mounted without them but still counts CPU time, takes clones and kills; on a
// v1 host there is no v2 tree. See cgroups(7).
type hierarchies struct {
	unified           string // the v2 tree, or ""
	memory, cpu, pids string
	cpuacct           string // v1 only, where there is no unified
	io                string // v2's controller io or v1's blkio; "" where there is neither

	cpuset, cpuacctShown string // v1 only; see shownOnly
}

// v2 reports whether the controllers are on the v2 tree.
func (h hierarchies) v2() bool { return h.memory == h.unified }

// ioV2 reports whether the controller of disks is on the v2 tree.
func (h hierarchies) ioV2() bool { return h.io != "" && h.io == h.unified }

// all lists each tree once in which sandboxes have cgroups.
func (h hierarchies) all() []string {
	return distinct(h.unified, h.memory, h.cpu, h.pids, h.cpuacct, h.io)
}

// parents lists each tree once in which the parent cgroup is.
func (h hierarchies) parents() []string {
	return distinct(append(h.all(), h.cpuset, h.cpuacctShown)...)
}

func distinct(dirs ...string) []string {
	var list []string
	for _, dir := range dirs {
		if dir != "" && !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	return list
}

// below is the same trees at a cgroup of that name.
func (h hierarchies) below(name string) hierarchies {
	join := func(dir string) string {
		if dir == "" {
			return ""
		}
		return dir + "/" + name
	}
	return hierarchies{join(h.unified), join(h.memory), join(h.cpu), join(h.pids), join(h.cpuacct), join(h.io), join(h.cpuset), join(h.cpuacctShown)}
}

// findHierarchies reads where the trees are mounted. A controller that is in none of them is an error that names it.
func findHierarchies() (hierarchies, error) {
	const root = "/sys/fs/cgroup"
	if cgroups.IsCgroup2UnifiedMode() {
		return hierarchies{unified: root, memory: root, cpu: root, pids: root, io: ioOf(root)}, checkDelegation(root)
	}
	mounts, err := cgroups.GetCgroupMounts(true)
	if err != nil {
		return hierarchies{}, fmt.Errorf("cgroup v1 mounts: %w", err)
	}
	at := map[string]string{}
	for _, m := range mounts {
		for _, s := range m.Subsystems {
			if at[s] == "" {
				at[s] = m.Mountpoint
			}
		}
	}
	h := hierarchies{memory: at["memory"], cpu: at["cpu"], pids: at["pids"], io: at["blkio"]}
	var errs []error
	for _, c := range controllers {
		if at[c] == "" {
			errs = append(errs, fmt.Errorf("cgroup controller %s is mounted neither as v1 nor as v2: mount it (see cgroups(7))", c))
		}
	}
	if cgroups.IsCgroup2HybridMode() {
		h.unified = root + "/unified"
		h.io = cmp.Or(h.io, ioOf(h.unified))
	} else if h.cpuacct = at["cpuacct"]; h.cpuacct == "" {
		errs = append(errs, errors.New("cgroup controller cpuacct is mounted neither as v1 nor as v2: mount it (see cgroups(7))"))
	}
	h.shownOnly(at)
	return h, errors.Join(errs...)
}

// ioOf is root if that v2 tree has the controller io, else "".
func ioOf(root string) string {
	if !has(root, "io") {
		return ""
	}
	return root
}

// controllers are those that limits are written to.
var controllers = []string{"memory", "cpu", "pids"}
