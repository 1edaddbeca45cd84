// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// This file is the set-up order. The order is the security: a change here changes a golden file in testdata, and the
// commit that does it explains why. What is done to networks is in network.go.

// cloneFlags are the namespaces that a sandbox is born into. Its cgroup namespace comes later, once it is in its cgroup; its
// network namespace came before: see networkProgram.
const cloneFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// maxTerminals is how many pseudo-terminals a sandbox can have at once: a program that drives some others has one for each.
const maxTerminals = 16

const (
	readonlyTree = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	writableTree = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
)

// newRoot is where, in the spawner's tree, a sandbox's root is put together.
const newRoot = "newroot"

// stageProgram leaves the host's mounts for a mount namespace with nothing but the parts of sandboxes. Every sandbox
// starts as a copy of it: few mounts to copy, and nothing of the host to find before pivot_root.
func stageProgram(roots []string, h host) []op {
	ops := []op{
		{code: opUninherit}, // once for all sandboxes
		// Inherited by all to come, through execve too: should a crash be dumped on this host, nothing of a job's memory is in it.
		{code: opProcWrite, arg: [4]uint64{1}, strs: []string{"/proc/self/coredump_filter", "0"}, note: "if it is there"},
		unshare(unix.CLONE_NEWNS|unix.CLONE_NEWNET, "mount network"),
		{code: opBase, strs: []string{"/"}},
		{code: opPrivate},
		// Any directory serves as the place to build on; /proc exists everywhere and nothing below needs the host's.
		mount("tmpfs", "proc", unix.MOUNT_ATTR_NOSUID, "mode", "755", "size", "1m", "nr_inodes", "1k"),
		{code: opBase, strs: []string{"/proc"}},
	}
	for _, dir := range []string{"proc", "dev", "empty", newRoot} {
		ops = append(ops, mkdir(dir, 0o755))
	}
	ops = append(ops, mount("proc", "proc", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC))
	ops = append(ops, devices()...)
	ops = append(ops, stageView(h.cgroups)...)
	for _, root := range roots {
		ops = append(ops, parents(root, "/", 0, 0)...)
		ops = append(ops, mkdir(rel(root), 0o755), bind(root, rel(root), readonlyTree))
	}
	return append(ops, op{code: opPivot}, op{code: opWait})
}

// devices fills /dev with the default devices of the OCI runtime specification. All sandboxes share these nodes, read-only.
// None is a terminal: /dev/tty is whichever the process that opens it has, and the terminals that a job makes are in a /dev/pts
// of its own.
func devices() []op {
	ops := []op{mount("tmpfs", "dev", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, "mode", "755", "size", "64k", "nr_inodes", "64")}
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		ops = append(ops, op{
			code: opMknod, arg: [4]uint64{unix.S_IFCHR | 0o666, unix.Mkdev(d.major, d.minor)},
			strs: []string{"dev/" + d.name}, note: fmt.Sprintf("c %d:%d 666", d.major, d.minor),
		})
	}
	for _, l := range [][2]string{{"fd", "fd"}, {"stdin", "fd/0"}, {"stdout", "fd/1"}, {"stderr", "fd/2"}} {
		ops = append(ops, op{code: opSymlink, strs: []string{"dev/" + l[0], "/proc/self/" + l[1]}})
	}
	ops = append(ops, op{code: opSymlink, strs: []string{"dev/ptmx", "pts/ptmx"}}, mkdir("dev/pts", 0o755))
	// Read-only from here on, in every sandbox too; /empty the same, for what OP_MASK makes of both.
	readonly := uint64(unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC)
	return append(ops, mkdir("dev/shm", 0o755), bind("", "dev", readonly), bind("", "empty", readonly|unix.MOUNT_ATTR_NODEV))
}

// sandboxProgram builds one sandbox, from the clone to WAIT.
func sandboxProgram(cfg Config, h host) []op {
	var ops []op
	if h.smt { // no two sandboxes at once on the threads of one core, where they could listen to each other
		ops = append(ops, op{code: opCoreCookie})
	}
	ops = append(ops, []op{
		// The host's OOM killer shall take jobs before anything else. Before the ids: changing them gives /proc/self to
		// the host's root.
		{code: opProcWrite, strs: []string{"/proc/self/oom_score_adj", "1000"}},
		// Root of the user namespace before anything is made, so that all of it belongs to mapped ids. The spawner wrote
		// the maps before this program was sent.
		{code: opSetIDs, note: "0 0"},
		// No further user namespace below this one, whatever the filter says: most kernel escapes begin with one.
		{code: opProcWrite, strs: []string{"/proc/sys/user/max_user_namespaces", "0"}},
		// After the ids: changing them clears it. The spawner ends when the daemon does, and this process with it.
		{code: opDeathSignal, arg: [4]uint64{uint64(unix.SIGKILL)}, note: "SIGKILL"},
		// After the cgroup was joined: its root is what /proc/self/cgroup shows as /.
		unshare(unix.CLONE_NEWCGROUP, "cgroup"),
		{code: opKeyring},
		{code: opNotDumpable},

		{code: opBase, strs: []string{"/"}},
		bind(cfg.Root, newRoot, readonlyTree),
		{code: opBase, strs: []string{"/" + newRoot}},
		bind("/dev", "dev", 0),
		// Terminals of its own, which nobody else sees; with /dev/tty they are for programs that drive others. Their number
		// (kernel.pty.max) is one for the host, and their buffers, up to 64 KiB each way, are charged to nobody.
		mount("devpts", "dev/pts", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, "ptmxmode", "666", "mode", "620", "max", strconv.Itoa(maxTerminals)),
		// hidepid hides sandbox-init; see proc(5). Read-only, or a program could lower its oom_score_adj: to forbid that to all
		// its processes for good takes CAP_SYS_RESOURCE, which not every container has.
		mount("proc", "proc", readonlyTree|unix.MOUNT_ATTR_NOEXEC, "hidepid", "2"),
	}...)
	ops = append(ops, mountView(h.cgroups, cfg.cgroup)...)
	for _, m := range cfg.Mounts {
		ops = append(ops, tmpfs(m))
	}
	// After proc is mounted and before any program runs: nothing can race with the bind mounts over it.
	for _, p := range cfg.MaskedPaths {
		ops = append(ops, op{code: opMask, strs: []string{rel(p)}})
	}
	ops = append(ops, op{code: opPivot}, op{code: opHostname, strs: []string{cfg.Hostname}})
	if cfg.OpenDir != "" {
		// Before any program runs, so that nothing can be in the way; after the pivot, so that it is the sandbox's own.
		ops = append(ops, op{code: opOpen, strs: []string{rel(cfg.OpenDir)}})
	}
	// In the finished tree, for every program to come.
	return append(append(ops, h.landlockProgram(cfg)...), op{code: opWait})
}

// processProgram writes a step's files and runs it: one packet, or more where the files are large.
func processProgram(p Process, h host) [][]op {
	w := filesProgram(p)
	// What EXEC uses points into its packet, so all of it must be in that one.
	w.addTogether([]op{
		{code: opArgs, arg: [4]uint64{uint64(len(p.Args))}, strs: p.Args},
		{code: opEnv, arg: [4]uint64{uint64(len(p.Env))}, strs: p.Env},
		seccompOp(p, h),
		{
			code: opExec, arg: [4]uint64{uint64(p.UID), uint64(p.GID), uint64(p.Umask), one(p.MayPause)}, strs: []string{p.Cwd},
			note: fmt.Sprintf("uid %d gid %d umask %#o", p.UID, p.GID, p.Umask) + pauseNote(p),
		},
	})
	return w.list
}

// continueProgram writes a step's files and has the program that is paused go on with them.
func continueProgram(p Process) [][]op {
	w := filesProgram(p)
	w.add(op{code: opContinue, arg: [4]uint64{one(p.MayPause)}, note: strings.TrimSpace(pauseNote(p))})
	return w.list
}

func pauseNote(p Process) string {
	if p.MayPause {
		return " may pause"
	}
	return ""
}

func one(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// filesProgram writes a step's files and sets its limits.
func filesProgram(p Process) *packets {
	w := &packets{}
	if p.copies() {
		w.add(op{code: opSource})
	}
	made := map[string]bool{"": true, rel(p.Cwd): true}
	for _, f := range p.Files {
		name := path.Join(rel(p.Cwd), f.Name)
		for _, o := range parents(name, rel(p.Cwd), p.UID, p.GID) {
			if dir := o.strs[0]; !made[dir] {
				made[dir] = true
				w.add(o)
			}
		}
		w.addFile(name, f, p.UID, p.GID)
	}
	for _, r := range p.Rlimits {
		w.add(op{code: opRlimit, arg: [4]uint64{uint64(r.Type), r.Soft, r.Hard}, note: fmt.Sprintf("%d %d %d", r.Type, r.Soft, r.Hard)})
	}
	return w
}

func seccompOp(p Process, h host) op {
	o := op{code: opSeccomp, arg: [4]uint64{uint64(len(p.Seccomp))}, data: p.Seccomp, note: fmt.Sprintf("%d bytes", len(p.Seccomp))}
	if p.Decide != nil {
		o.arg[1] = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		o.note += " with listener"
		if h.killable {
			o.arg[1] |= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
		}
	}
	return o
}

// spawnProgram clones a sandbox; withCgroup says that a cgroup descriptor goes along.
func spawnProgram(cfg Config, withCgroup bool) []op {
	o := op{code: opSpawn, arg: [4]uint64{cloneFlags}, strs: []string{idMap(cfg.UIDMappings), idMap(cfg.GIDMappings)}}
	if withCgroup {
		o.arg[1] = 1
	}
	return []op{o}
}

// idMap is the text of /proc/PID/uid_map; see user_namespaces(7).
func idMap(list []IDMap) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.String()
}

func unshare(flags uint64, what string) op {
	return op{code: opUnshare, arg: [4]uint64{flags}, note: what}
}

func mount(fstype, target string, attributes uint64, options ...string) op {
	return op{code: opMount, arg: [4]uint64{attributes}, strs: append([]string{fstype, target}, options...), note: attributeNames(attributes)}
}

func bind(source, target string, attributes uint64) op {
	return op{code: opBind, arg: [4]uint64{attributes}, strs: []string{source, target}, note: attributeNames(attributes)}
}

func tmpfs(m Tmpfs) op {
	attributes := uint64(writableTree)
	if !m.Exec {
		attributes |= unix.MOUNT_ATTR_NOEXEC
	}
	if !m.Symlinks {
		attributes |= unix.MOUNT_ATTR_NOSYMFOLLOW
	}
	return mount("tmpfs", rel(m.Destination), attributes,
		"size", strconv.FormatInt(m.Size, 10), "nr_inodes", strconv.FormatInt(m.Inodes, 10),
		"mode", strconv.FormatUint(uint64(m.Mode), 8),
		"uid", strconv.FormatUint(uint64(m.UID), 10), "gid", strconv.FormatUint(uint64(m.GID), 10))
}

func mkdir(target string, mode uint64) op {
	return op{code: opMkdir, arg: [4]uint64{mode, 0, 0, 1}, strs: []string{target}, note: fmt.Sprintf("%o", mode)}
}

// parents makes the directories between top and name, name itself not included.
func parents(name, top string, uid, gid uint32) []op {
	var ops []op
	for dir := path.Dir(rel(name)); dir != "." && dir != rel(top); dir = path.Dir(dir) {
		o := mkdir(dir, 0o755)
		o.arg[1], o.arg[2] = uint64(uid), uint64(gid)
		ops = append(ops, o)
	}
	slices.Reverse(ops)
	return ops
}

// rel makes an absolute path inside the tree relative to its base.
func rel(p string) string { return strings.TrimPrefix(path.Clean(p), "/") }

func attributeNames(a uint64) string {
	var names []string
	for _, n := range []struct {
		bit  uint64
		name string
	}{
		{unix.MOUNT_ATTR_RDONLY, "ro"}, {unix.MOUNT_ATTR_NOSUID, "nosuid"}, {unix.MOUNT_ATTR_NODEV, "nodev"},
		{unix.MOUNT_ATTR_NOEXEC, "noexec"}, {unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
	} {
		if a&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}
