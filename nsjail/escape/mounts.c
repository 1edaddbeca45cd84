/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, mounts and files, cgroups. */
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef MS_RDONLY /* <sys/mount.h> clashes with the kernel's header on some libcs */
#define MS_RDONLY 1
#endif
enum { BIND = 4096, REMOUNT = 32, SHARED = 1 << 20, DETACH = 2, TREE_CLONE = 1 };

/* A clone in new namespaces: the child, if there is one, ends at once. */
static void clone_into(const struct probe *p)
{
	long pid = syscall(SYS_clone, p->arg[0] | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	must_fail(p, pid);
}

static void clone3_into(const struct probe *p)
{
	uint64_t args[11] = {(uint64_t)p->arg[0], 0, 0, 0, SIGCHLD};
	int32_t pid_wanted = 4242;
	if (p->arg[1]) {
		args[8] = (uint64_t)(uintptr_t)&pid_wanted; /* set_tid */
		args[9] = 1;
	}
	long pid = syscall(SYS_clone3, args, sizeof args);
	if (pid == 0)
		_exit(0);
	must_fail(p, pid);
}

/* setns to the namespace file arg[0]. */
static void enter(const struct probe *p)
{
	int fd = open((const char *)p->arg[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		refused(p, errno);
	must_fail(p, syscall(SYS_setns, fd, 0));
}

/* setns by a pidfd of sandbox-init. */
static void enter_init(const struct probe *p)
{
	long fd = syscall(SYS_pidfd_open, 1, 0);
	if (fd < 0)
		refused(p, errno);
	must_fail(p, syscall(SYS_setns, fd, p->arg[0]));
}

/* An ioctl arg[1] on the namespace file arg[0]: it gives a descriptor of another namespace. */
static void relative(const struct probe *p)
{
	int fd = open((const char *)p->arg[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		refused(p, errno);
	must_fail(p, ioctl(fd, (unsigned long)p->arg[1]));
}

/* The kernel's first namespaces have fixed numbers: see linux/nsfs.h. */
static void initial_namespaces(const struct probe *p)
{
	static const char *const initial[] = {
		"ipc:[4026531839]", "uts:[4026531838]", "user:[4026531837]", "pid:[4026531836]", "cgroup:[4026531835]",
		"net:[4026531833]", "mnt:[4026531832]",
	};
	for (unsigned i = 0; i < sizeof initial / sizeof initial[0]; i++) {
		char path[64], target[64];
		snprintf(path, sizeof path, "/proc/self/ns/%.*s", (int)strcspn(initial[i], ":"), initial[i]);
		ssize_t n = readlink(path, target, sizeof target - 1);
		if (n < 0)
			refused(p, errno);
		target[n] = 0;
		if (strcmp(target, initial[i]) == 0)
			escaped(p, "in the host's namespace %s", target);
	}
	held(p, "user, pid, mnt, net, ipc, uts, cgroup are not the host's");
}

static void bind_root_writable(const struct probe *p)
{
	struct mount_attr a = {.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	must_fail(p, syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &a, sizeof a));
}

static void list_mounts(const struct probe *p)
{
	struct {
		uint32_t size, spare;
		uint64_t mnt_id, param, mnt_ns_id;
	} request = {.size = 32, .mnt_id = UINT64_MAX};
	uint64_t ids[8];
	must_fail(p, syscall(458, &request, ids, 8, 0));
}

static int is_writable_mount(const char *at)
{
	static const char *const writable[] = {"/workspace", "/tmp", "/dev/shm", "/proc"};
	for (unsigned i = 0; i < sizeof writable / sizeof writable[0]; i++)
		if (strcmp(at, writable[i]) == 0)
			return 1;
	return 0;
}

/* See proc_pid_mountinfo(5) for the fields. */
static void mount_flags(const struct probe *p)
{
	static char text[65536];
	if (read_file("/proc/self/mountinfo", text, sizeof text) <= 0)
		refused(p, errno);
	int count = 0;
	char *save, *line = strtok_r(text, "\n", &save);
	for (; line; line = strtok_r(NULL, "\n", &save), count++) {
		char root[1024], at[1024], flags[1024];
		if (sscanf(line, "%*s %*s %*s %1023s %1023s %1023s", root, at, flags) != 3)
			escaped(p, "unreadable line %s", line);
		int device = strncmp(at, "/dev", 4) == 0 || strstr(root, "null");
		if (!strstr(flags, "nosuid") || (!device && !strstr(flags, "nodev")))
			escaped(p, "%s is mounted %s", at, flags);
		if (strncmp(flags, "ro", 2) != 0 && !is_writable_mount(at) && strncmp(at, "/dev", 4) != 0)
			escaped(p, "%s is writable: %s", at, flags);
	}
	held(p, "%d mounts, all nosuid, read-only but for what is the job's", count);
}

static void make_file(const struct probe *p) { must_fail(p, open((const char *)p->arg[0], O_WRONLY | O_CREAT | O_EXCL, 0644)); }

static void write_self(const struct probe *p) { must_fail(p, open("/proc/self/exe", O_WRONLY)); }

/* The parent of the root is the root. */
static void above_root(const struct probe *p)
{
	struct stat root, above;
	if (stat("/", &root) < 0 || stat("/../../..", &above) < 0)
		refused(p, errno);
	if (root.st_ino != above.st_ino || root.st_dev != above.st_dev)
		escaped(p, "/../../.. is inode %lu", (unsigned long)above.st_ino);
	char cwd[256];
	if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0)
		refused(p, errno);
	if (cwd[0] != '/')
		escaped(p, "the working directory is %s", cwd);
	held(p, "/.. is /, and the working directory is within");
}

/* Directories outside the job's own that it can write, to a depth of three. */
static void find_writable(const struct probe *p, const char *dir, int depth)
{
	DIR *d = opendir(dir);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		char path[1024];
		struct stat st;
		if (e->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, e->d_name) >= (int)sizeof path)
			continue;
		if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || is_writable_mount(path))
			continue;
		if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
			escaped(p, "%s can be written", path);
		if (depth > 1)
			find_writable(p, path, depth - 1);
	}
	closedir(d);
}

static void writable_directories(const struct probe *p)
{
	if (access("/", W_OK) == 0)
		escaped(p, "/ can be written");
	find_writable(p, "/", 3);
	held(p, "none but /workspace, /tmp and /dev/shm");
}

/* Everything in /dev must be one of the harmless ones. */
static void devices(const struct probe *p)
{
	static const char known[] = " . .. null zero full random urandom tty ptmx pts fd stdin stdout stderr shm ";
	DIR *d = opendir("/dev");
	if (!d)
		refused(p, errno);
	int count = 0;
	for (struct dirent *e; (e = readdir(d)); count++) {
		char name[300];
		snprintf(name, sizeof name, " %s ", e->d_name);
		if (!strstr(known, name))
			escaped(p, "/dev has %s", e->d_name);
	}
	held(p, "%d entries, all of them harmless", count - 2);
}

/* A file of /tmp or /dev/shm can't be executed. */
static void execute(const struct probe *p)
{
	char path[64];
	snprintf(path, sizeof path, "%s/probe-%d", (const char *)p->arg[0], (int)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		refused(p, errno);
	unlink(path);
	if (ftruncate(fd, 4096) < 0)
		refused(p, errno);
	must_fail(p, mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
}

/* Gives a file of the job's own away, or a privilege: arg[0] says which. */
static void privileged_file(const struct probe *p)
{
	char path[64];
	snprintf(path, sizeof path, "/tmp/probe-%d", (int)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		refused(p, errno);
	unlink(path);
	static const char capability[20] = {1, 0, 0, 2, 0, 0, 0x20};
	switch (p->arg[0]) {
	case 0:
		must_fail(p, fchown(fd, 0, 0));
	case 1:
		must_fail(p, fsetxattr(fd, "security.capability", capability, sizeof capability, 0));
	case 2:
		must_fail(p, fsetxattr(fd, "trusted.probe", "x", 1, 0));
	default: {
		int immutable = 0x10;
		must_fail(p, ioctl(fd, 0x40086602 /* FS_IOC_SETFLAGS */, &immutable));
	}
	}
}

static void by_handle(const struct probe *p)
{
	struct {
		unsigned bytes;
		int type;
		char handle[128];
	} h = {.bytes = sizeof h.handle};
	int mount_id;
	long r = syscall(SYS_name_to_handle_at, AT_FDCWD, "/tmp", &h, &mount_id, 0);
	if (r < 0 || p->arg[0] == 0)
		must_fail(p, r);
	must_fail(p, syscall(SYS_open_by_handle_at, AT_FDCWD, &h, O_RDONLY | O_DIRECTORY));
}

static struct flock one_byte = {.l_type = F_RDLCK, .l_len = 1};

/* fcntl arg[1] on the directory or file arg[0], which all jobs of an image share. */
static void watch_inode(const struct probe *p)
{
	int fd = open((const char *)p->arg[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		refused(p, errno);
	must_fail(p, fcntl(fd, (int)p->arg[1], p->arg[2]));
}

/* Every line of /proc/self/cgroup must end in ":/": the path on the host is not the job's to know. */
static void cgroup_path(const struct probe *p)
{
	static char text[8192];
	if (read_file("/proc/self/cgroup", text, sizeof text) <= 0)
		refused(p, errno);
	char *save, *line = strtok_r(text, "\n", &save);
	int count = 0;
	for (; line; line = strtok_r(NULL, "\n", &save), count++)
		if (strlen(line) < 2 || strcmp(line + strlen(line) - 2, ":/") != 0)
			escaped(p, "the cgroup is %s", line);
	held(p, "%d hierarchies, each shows /", count);
}

/* Fails where the directory has another one that is not in allowed, names with a space after each. */
static void only_directories(const struct probe *p, const char *path, const char *allowed)
{
	char word[256 + 2];
	DIR *d = opendir(path);
	if (!d)
		refused(p, errno);
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(word, sizeof word, "%s ", e->d_name);
		if (e->d_type == DT_DIR && e->d_name[0] != '.' && !strstr(allowed, word))
			escaped(p, "%s has the directory %s", path, e->d_name);
	}
	closedir(d);
}

/* The job's own cgroup is below /sys, without any other below it, and nothing of devices, modules and kernel. */
static void only_cgroup(const struct probe *p)
{
	only_directories(p, "/sys", "fs ");
	only_directories(p, "/sys/fs", "cgroup ");
	only_directories(p, "/sys/fs/cgroup", "memory cpu cpuset cpuacct ");
	for (const char **at = (const char *[]){"memory", "cpu", "cpuset", "cpuacct", NULL}; *at; at++) {
		char path[64];
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s", *at);
		if (access(path, F_OK) == 0)
			only_directories(p, path, "");
	}
	held(p, "/sys has the job's own cgroup and nothing else");
}

static void make_directory(const struct probe *p) { must_fail(p, mkdir((const char *)p->arg[0], 0755)); }

static void append(const struct probe *p) { must_fail(p, open((const char *)p->arg[0], O_WRONLY)); }

#define UNSHARE(name, flag, flags) {"namespaces", "unshare " name, flags, REFUSED " ENOSPC", NULL, SYS_unshare, {flag}}
#define MOUNT(name, source, target, type, mount_flags) \
	{"mounts", name, 0, REFUSED, NULL, SYS_mount, {PTR(source), PTR(target), PTR(type), mount_flags, 0}}
#define NS(path) PTR("/proc/" path)

const struct probe mount_probes[] = {
	/* ENOSPC: max_user_namespaces is 0. */
	UNSHARE("user", CLONE_NEWUSER, FAST),
	UNSHARE("mount", CLONE_NEWNS, FAST),
	UNSHARE("pid", CLONE_NEWPID, 0),
	UNSHARE("net", CLONE_NEWNET, FAST),
	UNSHARE("ipc", CLONE_NEWIPC, 0),
	UNSHARE("uts", CLONE_NEWUTS, 0),
	UNSHARE("cgroup", CLONE_NEWCGROUP, 0),
	UNSHARE("time", 0x80, 0),
	UNSHARE("user and net", CLONE_NEWUSER | CLONE_NEWNET, 0),
	{"namespaces", "clone user", FAST, REFUSED " ENOSPC", clone_into, 0, {CLONE_NEWUSER}},
	{"namespaces", "clone mount", 0, REFUSED, clone_into, 0, {CLONE_NEWNS}},
	{"namespaces", "clone pid", 0, REFUSED, clone_into, 0, {CLONE_NEWPID}},
	{"namespaces", "clone3 user", FAST, REFUSED " ENOSPC", clone3_into, 0, {CLONE_NEWUSER}},
	{"namespaces", "clone3 net", 0, REFUSED, clone3_into, 0, {CLONE_NEWNET}},
	{"namespaces", "clone3 with a pid of its choice", 0, REFUSED, clone3_into, 0, {0, 1}},
	{"namespaces", "setns mnt of init", 0, NO_PATH, enter, 0, {NS("1/ns/mnt")}},
	{"namespaces", "setns net of init", 0, NO_PATH, enter, 0, {NS("1/ns/net")}},
	{"namespaces", "setns user of init", 0, NO_PATH, enter, 0, {NS("1/ns/user")}},
	{"namespaces", "setns its own mnt", 0, REFUSED, enter, 0, {NS("self/ns/mnt")}},
	{"namespaces", "setns by pidfd of init", FAST, REFUSED, enter_init, 0, {CLONE_NEWNS}},
	{"namespaces", "parent of the user namespace", 0, REFUSED, relative, 0, {NS("self/ns/user"), NS_GET_PARENT}},
	{"namespaces", "owner of the user namespace", 0, REFUSED, relative, 0, {NS("self/ns/user"), NS_GET_USERNS}},
	{"namespaces", "parent of the pid namespace", 0, REFUSED, relative, 0, {NS("self/ns/pid"), NS_GET_PARENT}},
	{"namespaces", "owner of the net namespace", 0, REFUSED, relative, 0, {NS("self/ns/net"), NS_GET_USERNS}},
	{"namespaces", "none is the host's", FAST, REFUSED, initial_namespaces, 0, {0}},
	{"namespaces", "sethostname", FAST, REFUSED, NULL, SYS_sethostname, {PTR("x"), 1}},
	{"namespaces", "setdomainname", 0, REFUSED, NULL, SYS_setdomainname, {PTR("x"), 1}},

	{"mounts", "tmpfs", FAST, REFUSED, NULL, SYS_mount, {PTR("none"), PTR("/tmp"), PTR("tmpfs"), 0, 0}},
	MOUNT("proc", "none", "/tmp", "proc", 0),
	MOUNT("sysfs", "none", "/tmp", "sysfs", 0),
	MOUNT("overlay", "none", "/tmp", "overlay", 0),
	MOUNT("bind the root", "/", "/tmp", NULL, BIND),
	{"mounts", "remount the root writable", FAST, REFUSED, NULL, SYS_mount, {0, PTR("/"), 0, REMOUNT | BIND, 0}},
	MOUNT("remount /proc/sys writable", NULL, "/proc/sys", NULL, REMOUNT | BIND),
	MOUNT("remount /dev with devices", NULL, "/dev", NULL, REMOUNT | BIND),
	MOUNT("share the root", NULL, "/", NULL, SHARED),
	{"mounts", "umount /proc", 0, REFUSED, NULL, SYS_umount2, {PTR("/proc"), DETACH}},
	{"mounts", "umount /proc/sys", 0, REFUSED, NULL, SYS_umount2, {PTR("/proc/sys"), DETACH}},
	{"mounts", "umount a mask", FAST, REFUSED, NULL, SYS_umount2, {PTR("/proc/keys"), DETACH}},
	{"mounts", "pivot_root", 0, REFUSED, NULL, SYS_pivot_root, {PTR("."), PTR(".")}},
	{"mounts", "chroot", FAST, REFUSED, NULL, SYS_chroot, {PTR("/tmp")}},
	{"mounts", "fsopen", FAST, REFUSED, NULL, SYS_fsopen, {PTR("tmpfs"), 0}},
	{"mounts", "fspick", 0, REFUSED, NULL, SYS_fspick, {AT_FDCWD, PTR("/tmp"), 0}},
	{"mounts", "fsconfig", POLICY, REFUSED, NULL, SYS_fsconfig, {0, 0, PTR("ro"), 0, 0}},
	{"mounts", "fsmount", 0, REFUSED, NULL, SYS_fsmount, {0, 0, 0}},
	{"mounts", "open_tree", 0, REFUSED, NULL, SYS_open_tree, {AT_FDCWD, PTR("/"), TREE_CLONE}},
	{"mounts", "open_tree_attr", 0, REFUSED, NULL, 467, {AT_FDCWD, PTR("/"), TREE_CLONE, 0, 0}},
	{"mounts", "move_mount", 0, REFUSED, NULL, SYS_move_mount, {AT_FDCWD, PTR("/tmp"), AT_FDCWD, PTR("/workspace"), 0}},
	{"mounts", "mount_setattr", 0, REFUSED, bind_root_writable, 0, {0}},
	{"mounts", "listmount", POLICY, REFUSED, list_mounts, 0, {0}},
	{"mounts", "flags of all mounts", FAST, REFUSED, mount_flags, 0, {0}},
	{"mounts", "mknod of a disk", FAST, REFUSED, NULL, SYS_mknodat, {AT_FDCWD, PTR("/tmp/disk"), S_IFBLK | 0666, 0xfe00}},
	{"mounts", "mknod of the memory", 0, REFUSED, NULL, SYS_mknodat, {AT_FDCWD, PTR("/workspace/mem"), S_IFCHR | 0666, 0x101}},
	{"mounts", "mknod in /dev/shm", 0, REFUSED, NULL, SYS_mknodat, {AT_FDCWD, PTR("/dev/shm/mem"), S_IFCHR | 0666, 0x101}},

	{"files", "make one in the root", FAST, NO_PATH, make_file, 0, {PTR("/probe")}},
	{"files", "make one in /dev", 0, NO_PATH, make_file, 0, {PTR("/dev/probe")}},
	{"files", "make one in /proc", 0, NO_PATH, make_file, 0, {PTR("/proc/probe")}},
	{"files", "write its own executable", FAST, NO_PATH " ETXTBSY", write_self, 0, {0}},
	{"files", "chmod the root", 0, NO_PATH, NULL, SYS_fchmodat, {AT_FDCWD, PTR("/"), 0777}},
	{"files", "chmod /dev/null", 0, NO_PATH, NULL, SYS_fchmodat, {AT_FDCWD, PTR("/dev/null"), 0600}},
	{"files", "unlink /dev/null", 0, NO_PATH, NULL, SYS_unlinkat, {AT_FDCWD, PTR("/dev/null"), 0}},
	{"files", "rename /tmp", 0, NO_PATH " EBUSY", NULL, SYS_renameat2, {AT_FDCWD, PTR("/tmp"), AT_FDCWD, PTR("/old"), 0}},
	{"files", "above the root", FAST, REFUSED, above_root, 0, {0}},
	{"files", "directories that can be written", FAST, REFUSED, writable_directories, 0, {0}},
	{"files", "what is in /dev", FAST, REFUSED, devices, 0, {0}},
	{"files", "execute from /tmp", 0, REFUSED, execute, 0, {PTR("/tmp")}},
	{"files", "execute from /dev/shm", 0, REFUSED, execute, 0, {PTR("/dev/shm")}},
	{"files", "chown to root", 0, REFUSED, privileged_file, 0, {0}},
	{"files", "give a file capabilities", FAST, REFUSED " EOPNOTSUPP", privileged_file, 0, {1}},
	{"files", "trusted attributes", 0, REFUSED " EOPNOTSUPP", privileged_file, 0, {2}},
	{"files", "make a file immutable", 0, REFUSED " ENOTTY", privileged_file, 0, {3}},
	{"files", "name_to_handle_at", POLICY, REFUSED, by_handle, 0, {0}},
	{"files", "open_by_handle_at", FAST, REFUSED " EOPNOTSUPP", by_handle, 0, {1}},
	{"files", "fanotify of contents", 0, REFUSED, NULL, SYS_fanotify_init, {FAN_CLASS_CONTENT, O_RDONLY}},
	{"files", "fanotify of names", POLICY, REFUSED, NULL, SYS_fanotify_init, {FAN_REPORT_FID, O_RDONLY}},
	{"files", "inotify", POLICY, REFUSED, NULL, SYS_inotify_init1, {0}},
	{"files", "lock of an open file", POLICY, REFUSED " EINVAL", watch_inode, 0, {PTR("/dev/null"), F_OFD_SETLK, PTR(&one_byte)}},
	{"files", "dnotify", POLICY, REFUSED, watch_inode, 0, {PTR("/"), F_NOTIFY, 4}},
	{"files", "lease", POLICY, REFUSED, watch_inode, 0, {PTR("/proc/self/exe"), F_SETLEASE, F_RDLCK}},
	{"files", "quotactl", 0, REFUSED " ENOENT ENOTBLK", NULL, SYS_quotactl, {0x80000700, PTR("/dev/vda"), 0, 0}},

	{"cgroup", "path", FAST, REFUSED, cgroup_path, 0, {0}},
	{"cgroup", "/sys", FAST, NO_PATH, only_cgroup, 0, {0}},
	{"cgroup", "mount v2", 0, REFUSED, NULL, SYS_mount, {PTR("none"), PTR("/tmp"), PTR("cgroup2"), 0, 0}},
	{"cgroup", "mount v1 memory", 0, REFUSED, NULL, SYS_mount, {PTR("none"), PTR("/tmp"), PTR("cgroup"), 0, PTR("memory")}},
	{"cgroup", "mount v1 with a release agent", 0, REFUSED, NULL, SYS_mount,
		{PTR("none"), PTR("/tmp"), PTR("cgroup"), 0, PTR("none,name=probe,release_agent=/probe")}},
	{"cgroup", "write memory.max", 0, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/memory.max")}},
	{"cgroup", "write cgroup.procs", 0, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/cgroup.procs")}},
	{"cgroup", "write cpu.max", 0, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/cpu.max")}},
	{"cgroup", "write cgroup.subtree_control", 0, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/cgroup.subtree_control")}},
	{"cgroup", "write memory.pressure", 0, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/memory.pressure")}},
	{"cgroup", "make one", FAST, NO_PATH, make_directory, 0, {PTR("/sys/fs/cgroup/probe")}},
	{"cgroup", "make one, v1", FAST, NO_PATH, make_directory, 0, {PTR("/sys/fs/cgroup/memory/probe")}},
	{"cgroup", "make one where nothing is put, v1", 0, NO_PATH, make_directory, 0, {PTR("/sys/fs/cgroup/cpuset/probe")}},
	{"cgroup", "write tasks, v1", FAST, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/memory/tasks")}},
	{"cgroup", "write memory.limit_in_bytes, v1", FAST, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/memory/memory.limit_in_bytes")}},
	{"cgroup", "write cpu.cfs_quota_us, v1", FAST, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")}},
	/* Everybody may write to this file, by its mode. */
	{"cgroup", "write cgroup.event_control, v1", FAST, NO_PATH, append, 0, {PTR("/sys/fs/cgroup/memory/cgroup.event_control")}},
	{0},
};
