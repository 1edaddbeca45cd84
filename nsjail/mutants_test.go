// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mutant builds a sandbox-init with parts of its sources taken out and returns a box that uses it. Each part must be there once.
func mutant(t *testing.T, replace ...string) *box {
	t.Helper()
	b := requireSandbox(t)
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("this machine has no compiler")
	}
	dir := t.TempDir()
	sources := map[string]string{}
	for _, name := range []string{"init.c", "tree.c", "network.c"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = string(text)
	}
	for i := 0; i < len(replace); i += 2 {
		found := 0
		for name, text := range sources {
			found += strings.Count(text, replace[i])
			sources[name] = strings.Replace(text, replace[i], replace[i+1], 1)
		}
		if found != 1 {
			t.Fatalf("init.c, tree.c and network.c have %q %d times, want once: the mutation needs another text", replace[i], found)
		}
	}
	exe := filepath.Join(dir, "mutant")
	args := []string{"-O1", "-I", ".", "-o", exe}
	for name, text := range sources {
		if name == "init.c" {
			text += "\nint main(void) { return 1; }\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, filepath.Join(dir, name))
	}
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	spawner, err := newSpawner(exe, b.cgroups, filepath.Dir(b.root))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spawner.Close() })
	spawner.host = host{cgroups: spawner.host.cgroups} // Landlock alone would hold many of them
	return &box{b.root, b.cgroups, spawner}
}

// withoutLandlock is the same with nothing taken out of init.c.
func withoutLandlock(t *testing.T) *box {
	t.Helper()
	b := requireSandbox(t).another(t)
	b.spawner.host = host{orphans: b.spawner.host.orphans}
	return b
}

// another is b with a spawner of its own.
func (b *box) another(t *testing.T) *box {
	t.Helper()
	spawner, err := newSpawner("/proc/self/exe", b.cgroups, filepath.Dir(b.root))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spawner.Close() })
	return &box{b.root, b.cgroups, spawner}
}

// writableProc takes away that /proc is read-only; no other file system is mounted so.
var writableProc = []string{"FSMOUNT_CLOEXEC, (unsigned)op->arg[0])", "FSMOUNT_CLOEXEC, (unsigned)op->arg[0] & ~(unsigned)MOUNT_ATTR_RDONLY)"}

// noticed checks that each of the probes says that it got through.
func noticed(t *testing.T, got map[string]string, probes ...string) {
	t.Helper()
	for _, what := range probes {
		if how := got[what]; !strings.HasPrefix(how, "ESCAPED: ") {
			t.Errorf("%s: %q, want ESCAPED: it does not see what it is there for", what, how)
		}
	}
}

// TestProbesSeeWhatIsMissing takes controls away and holds the probes to notice: a probe that can't fail proves nothing.
func TestProbesSeeWhatIsMissing(t *testing.T) {
	t.Run("policy", func(t *testing.T) {
		got := withoutLandlock(t).probe(t, "all", nil)
		noticed(t, got, "keyrings/add_key", "keyrings/user keyring", "io_uring/setup", "userfaultfd/of its own faults",
			"network/netlink but for NETLINK_ROUTE", "network/TCP_CONGESTION", "network/a filter on a port",
			"network/SO_TIMESTAMP", "network/IP_OPTIONS", "network/a multicast group", "network/UDP_ENCAP", "files/inotify", "files/dnotify", "files/lock of an open file",
			"files/name_to_handle_at", "bpf/a listening filter", "ptrace/be traced", "machine/sync",
			"abi/personality without randomisation", "sockets/SO_ATTACH_FILTER", "inherited/core files", "ipc/POSIX queues",
			"inherited/core limit by setrlimit", "inherited/core limit by prlimit", "disk/past the page cache by openat2", "disk/fsync", "disk/fdatasync",
			"disk/sync_file_range", "disk/msync", "memory/age pages", "memory/a mapping that grows", "cpu/a slice of its own",
			"cpu/interrupt other processes", "abi/requeue with priority", "sockets/a pipe of notifications", "sockets/send MSG_OOB",
			"sockets/sendmsg MSG_OOB", "sockets/recv MSG_OOB", "sockets/send MSG_FASTOPEN")
	})
	t.Run("masks", func(t *testing.T) {
		b := mutant(t, writableProc...)
		got := b.probe(t, "all", func(cfg *Config, _ *Process) { cfg.MaskedPaths = nil })
		noticed(t, got, "proc/read cmdline", "proc/read interrupts", "proc/read key-users", "proc/read kallsyms", "proc/read fs",
			"proc/anything of the host's", "proc/write sys/kernel/ns_last_pid", "proc/anything below sys")
	})
	t.Run("tmpfs without a size", func(t *testing.T) {
		got := requireSandbox(t).probe(t, "fast", func(cfg *Config, _ *Process) {
			for i := range cfg.Mounts {
				cfg.Mounts[i].Size, cfg.Mounts[i].Exec = 1<<40, true
			}
		})
		noticed(t, got, "disk//tmp has an end", "disk//workspace has an end", "disk//dev/shm has an end")
	})
	t.Run("set-up", func(t *testing.T) {
		b := mutant(t,
			"dup3(fds[0], CONTROL_FD, O_CLOEXEC)", "dup3(fds[0], CONTROL_FD, 0)",
			"syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC)", "0",
			"stage = STAGE_SETSID;\n\tif (setsid() < 0)", "if (0)",
			"umask((mode_t)op->arg[2]);", "",
			"syscall(SYS_prlimit64, 0, rlimits[i].resource, &rlimits[i].value, NULL) < 0", "0",
			"syscall(SYS_unshare, op->arg[0])", "op->arg[0] & 0x20000 ? (int)syscall(SYS_unshare, 0x20000) : 0", // CLONE_NEWNS alone
			".flags = op->arg[0] | CLONE_PIDFD", ".flags = (op->arg[0] & ~(uint64_t)CLONE_NEWIPC) | CLONE_PIDFD",
			"write_proc(string(op, 0), string(op, 1), ", `strstr(string(op, 0), "/user/") ? 0 : write_proc(string(op, 0), string(op, 1), `,
			"if (attributes && set_attributes(copy, 0, attributes, 0) < 0)", "if (attributes && 0)",
			"(int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags, &filter)", "0",
		)
		segment, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.SysvShmCtl(segment, unix.IPC_RMID, nil)
		server, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		got := b.probe(t, "bare", nil)
		if others, err := net.Interfaces(); err != nil || len(others) > 1 { // else there is none to see
			noticed(t, got, "network/interfaces")
		}
		noticed(t, b.probe(t, "offline-bare", nil), "network/a way to 127.0.0.1", "network/bring the loopback up")
		noticed(t, got, "fds/inherited", "signals/session of its own", "inherited/umask", "disk/raise RLIMIT_FSIZE", "cgroup/path",
			"network/sockets of others", "namespaces/none is the host's",
			"ipc/shared memory segments", "namespaces/unshare user", "namespaces/clone user", "namespaces/clone3 user",
			"mounts/flags of all mounts", "identity/filter")
	})
	t.Run("privilege", func(t *testing.T) {
		b := mutant(t,
			"if (lock_capabilities() < 0 && !(shared.program && errno == EPERM))", "if (0)",
			"if (no_capabilities() < 0)", "if (0)",
			"if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)", "if (0)",
			"prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)", "prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)",
			"string(op, i)[0]; i += 2", `string(op, i)[0] && strcmp(string(op, i), "hidepid"); i += 2`,
			writableProc[0], writableProc[1],
		)
		got := b.probe(t, "all", func(_ *Config, p *Process) { p.UID, p.GID = 0, 0 })
		noticed(t, got, "mounts/tmpfs", "mounts/bind the root", "mounts/chroot", "mounts/fsopen", "mounts/open_tree", "mounts/umount /proc/sys",
			"mounts/share the root", "namespaces/unshare mount", "namespaces/unshare net", "namespaces/clone pid", "namespaces/clone3 net",
			"namespaces/sethostname", "namespaces/setns mnt of init", "namespaces/setns by pidfd of init", "identity/capabilities",
			"identity/capset", "identity/uid", "identity/setuid 0", "identity/no_new_privs", "signals/kill init", "signals/kill init by pidfd",
			"ptrace/seize init", "ptrace/read init's memory", "ptrace/limits of init", "ptrace/kcmp with init", "fds/take init's socket",
			"proc/init's maps", "proc/init's root", "proc/init's mem", "files/give a file capabilities",
			"sockets/say that it is init", "sockets/say that it is root")
	})
	t.Run("core filter", func(t *testing.T) {
		b := mutant(t, "write_proc(string(op, 0), string(op, 1), ", `strstr(string(op, 0), "coredump") ? 0 : write_proc(string(op, 0), string(op, 1), `)
		noticed(t, b.probe(t, "fast", nil), "inherited/core filter")
	})
	t.Run("terminals", func(t *testing.T) {
		b := mutant(t, "string(op, i)[0]; i += 2", `string(op, i)[0] && strcmp(string(op, i), "max"); i += 2`)
		noticed(t, b.probe(t, "fast", nil), "terminals/have an end")
	})
	t.Run("devices", func(t *testing.T) {
		// One more entry, where the set-up makes its links.
		b := mutant(t, "symlinkat(string(op, 1), dir, leaf)", `symlinkat(string(op, 1), dir, strcmp(leaf, "fd") ? leaf : "kvm")`)
		noticed(t, b.probe(t, "fast", nil), "files/what is in /dev")
	})
}
