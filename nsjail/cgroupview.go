package nsjail

import (
	"path"

	"golang.org/x/sys/unix"
)

// A job sees its own cgroup below /sys/fs/cgroup, read-only and where containers have it: the JVM, V8, Go and .NET size their
// heaps and threads by what they find there. Without it they would take the host's memory and cores for theirs.

// cgroupDir is one directory of that view.
type cgroupDir struct {
	host   string // what the spawner has, for all sandboxes, at stage
	stage  string
	target string // in the sandbox
	shared bool   // host itself is seen, in which no process is, and not the sandbox's own cgroup below it
}

// view lists the directories that jobs see of the trees h, whose paths are those of the parent cgroup.
func (h hierarchies) view() []cgroupDir {
	const root = "sys/fs/cgroup"
	if h.v2() {
		return []cgroupDir{{host: h.unified, stage: "cgroup/unified", target: root}}
	}
	list := []cgroupDir{
		{host: h.memory, stage: "cgroup/memory", target: root + "/memory"},
		{host: h.cpu, stage: "cgroup/cpu", target: root + "/cpu"},
	}
	if h.cpuset != "" {
		list = append(list, cgroupDir{h.cpuset, "cgroup/cpuset", root + "/cpuset", true})
	}
	switch {
	case h.cpuacct != "":
		list = append(list, cgroupDir{host: h.cpuacct, stage: "cgroup/cpuacct", target: root + "/cpuacct"})
	case h.cpuacctShown != "":
		list = append(list, cgroupDir{h.cpuacctShown, "cgroup/cpuacct", root + "/cpuacct", true})
	}
	return list
}

// stageView makes, in the spawner's tree, an empty /sys with the places for the view, and the cgroups that it is taken from.
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
		dir(d.stage)
	}
	ops = append(ops, bind("", "sys", unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC))
	for _, d := range view {
		ops = append(ops, bind(d.host, d.stage, readonlyTree|unix.MOUNT_ATTR_NOEXEC))
	}
	return ops
}

// mountView shows a sandbox its cgroup, which is called name.
func mountView(view []cgroupDir, name string) []op {
	ops := []op{bind("/sys", "sys", 0)}
	for _, d := range view {
		source := "/" + d.stage
		if !d.shared {
			source = path.Join(source, name)
		}
		ops = append(ops, bind(source, d.target, 0))
	}
	return ops
}

// shownOnly are the v1 hierarchies that nothing is put into, but that the JVM wants to see before it believes any of the others.
func (h *hierarchies) shownOnly(at map[string]string) {
	h.cpuset = at["cpuset"]
	if h.cpuacct == "" && at["cpuacct"] != h.cpu {
		h.cpuacctShown = at["cpuacct"]
	}
}
