// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"cmp"
	"path"

	"golang.org/x/sys/unix"
)

// A job sees its own cgroup below /sys/fs/cgroup, read-only and where containers have it: the JVM, V8, Go and .NET size their
// heaps and thread pools by it. Without it they would take the host's memory and cores for theirs.

// cgroupDir is one directory of that view.
type cgroupDir struct {
	host   string // the parent cgroup's
	target string // in the sandbox
	stage  string // in the spawner's tree; "": at target already, the same for all sandboxes, as no process is in it
}

// view lists the directories that jobs see of the trees h, whose paths are those of the parent cgroup.
func (h hierarchies) view() []cgroupDir {
	const root = "sys/fs/cgroup"
	if h.v2() {
		return []cgroupDir{{h.unified, root, "cgroup/unified"}}
	}
	list := []cgroupDir{{h.memory, root + "/memory", "cgroup/memory"}, {h.cpu, root + "/cpu", "cgroup/cpu"}}
	if h.cpuset != "" {
		list = append(list, cgroupDir{h.cpuset, root + "/cpuset", ""})
	}
	switch {
	case h.cpuacct != "":
		list = append(list, cgroupDir{h.cpuacct, root + "/cpuacct", "cgroup/cpuacct"})
	case h.cpuacctShown != "":
		list = append(list, cgroupDir{h.cpuacctShown, root + "/cpuacct", ""})
	}
	return list
}

// stageView makes, in the spawner's tree, a /sys with the mount points of the view, and binds the parent cgroups from which sandboxes get
// theirs.
func stageView(view []cgroupDir) []op {
	var ops []op
	made := map[string]bool{}
	dir := func(name string) {
		for _, o := range append(parents(name, "/", 0, 0), mkdir(name, 0o755)) {
			if !made[o.strs[0]] {
				made[o.strs[0]] = true
				ops = append(ops, o)
			}
		}
	}
	dir("sys")
	for _, d := range view {
		dir(d.target)
		if d.stage != "" {
			dir(d.stage)
		}
	}
	const readonly = readonlyTree | unix.MOUNT_ATTR_NOEXEC
	ops = append(ops, bind("", "sys", readonly))
	for _, d := range view {
		ops = append(ops, bind(d.host, cmp.Or(d.stage, d.target), readonly))
	}
	return ops
}

// mountView mounts the sandbox's own cgroup, of that name, in its /sys.
func mountView(view []cgroupDir, name string) []op {
	sys := bind("/sys", "sys", 0)
	sys.arg[1], sys.note = 1, "recursive"
	ops := []op{sys}
	for _, d := range view {
		if d.stage != "" {
			ops = append(ops, bind(path.Join("/", d.stage, name), d.target, 0))
		}
	}
	return ops
}

// shownOnly adds the v1 hierarchies in which sandboxes have no cgroup, but which the JVM must find before it reads any of the others.
func (h *hierarchies) shownOnly(at map[string]string) {
	h.cpuset = at["cpuset"]
	if h.cpuacct == "" && at["cpuacct"] != h.cpu {
		h.cpuacctShown = at["cpuacct"]
	}
}
