/* SPDX-License-Identifier: Apache-2.0 */
/* /proc: what speaks of the host, what could be written, what belongs to sandbox-init. */
#define _GNU_SOURCE
#include "probe.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The path arg[0] must not tell anything: no such file, closed, the null device, an empty file or directory. */
static void tells_nothing(const struct probe *p)
{
	int fd = open((const char *)p->arg[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		refused(p, errno);
	if (is_null(fd))
		held(p, "masked by the null device");
	DIR *d = fdopendir(fd);
	if (d) {
		for (struct dirent *e; (e = readdir(d));)
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				escaped(p, "it has %s", e->d_name);
		held(p, "an empty directory");
	}
	char b[65];
	ssize_t n = read(fd, b, sizeof b - 1);
	if (n < 0)
		refused(p, errno);
	if (n == 0)
		held(p, "empty");
	b[n] = 0;
	escaped(p, "it says %s", b);
}

/* The path arg[0] must not open with the flags arg[1]. Nothing is read or written: that alone could do harm. */
static void stays_closed(const struct probe *p)
{
	int fd = open((const char *)p->arg[0], (int)p->arg[1] | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		refused(p, errno);
	if (is_null(fd))
		held(p, "masked by the null device");
	escaped(p, "it opens");
}

/* The text arg[1] must not be written to arg[0]: one of the program's own files, which may open. */
static void stays_as_it_is(const struct probe *p)
{
	const char *text = (const char *)p->arg[1];
	int fd = open((const char *)p->arg[0], O_WRONLY | O_CLOEXEC);
	must_fail(p, fd < 0 ? -1 : write(fd, text, strlen(text)));
}

static void follow(const struct probe *p)
{
	char target[256];
	must_fail(p, readlink((const char *)p->arg[0], target, sizeof target));
}

static int opened; /* by open_all */

/* Tries to open for writing every regular file below dir that is not a process's own. */
static void open_all(const struct probe *p, const char *dir)
{
	DIR *d = opendir(dir);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		char path[1024];
		struct stat st;
		if (e->d_name[0] == '.' || isdigit((unsigned char)e->d_name[0]) ||
		    snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path || lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			open_all(p, path);
		if (!S_ISREG(st.st_mode))
			continue;
		opened++;
		int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && !is_null(fd))
			escaped(p, "%s opens for writing", path);
		if (fd >= 0)
			close(fd);
	}
	closedir(d);
}

static void nothing_writable(const struct probe *p)
{
	opened = 0;
	open_all(p, (const char *)p->arg[0]);
	if (opened == 0)
		escaped(p, "%s shows no file to try", (const char *)p->arg[0]);
	held(p, "%d files stay closed", opened);
}

/* Processes that /proc lists: at most those of the sandbox. */
static void processes(const struct probe *p)
{
	DIR *d = opendir("/proc");
	if (!d)
		refused(p, errno);
	int count = 0;
	for (struct dirent *e; (e = readdir(d));) {
		char path[300], name[64];
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		count++;
		snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
		if (read_file(path, name, sizeof name) > 0 && strcmp(name, "kthreadd\n") == 0)
			escaped(p, "it lists the host's kernel threads");
	}
	if (count > 32)
		escaped(p, "it lists %d processes", count);
	held(p, "it lists %d processes", count);
}

/* The ranges of the program's memory as links: following one needs a capability. */
static void map_files(const struct probe *p)
{
	DIR *d = opendir("/proc/self/map_files");
	if (!d)
		refused(p, errno);
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.') {
			char path[300];
			snprintf(path, sizeof path, "/proc/self/map_files/%s", e->d_name);
			must_fail(p, open(path, O_RDWR | O_CLOEXEC));
		}
	held(p, "empty");
}

#define TELLS(path, flags) {"proc", "read " path, flags, NO_PATH, tells_nothing, 0, {PTR("/proc/" path)}}
#define CLOSED(path, flags) {"proc", "write " path, flags, NO_PATH, stays_closed, 0, {PTR("/proc/" path), O_WRONLY}}
#define INIT(name) {"proc", "init's " name, 0, NO_PATH, tells_nothing, 0, {PTR("/proc/1/" name)}}
#define OWN(name) PTR("/proc/self/" name)

/* TELLS of what the daemon masks has POLICY, for the list of masked paths is the daemon's. */
const struct probe proc_probes[] = {
	{"proc", "open kcore", FAST | POLICY, NO_PATH, stays_closed, 0, {PTR("/proc/kcore"), O_RDONLY}},
	{"proc", "open kmsg", FAST, NO_PATH, stays_closed, 0, {PTR("/proc/kmsg"), O_RDONLY}}, /* reading takes lines away */
	{"proc", "open kpagecount", 0, NO_PATH, stays_closed, 0, {PTR("/proc/kpagecount"), O_RDONLY}},
	{"proc", "open kpageflags", 0, NO_PATH, stays_closed, 0, {PTR("/proc/kpageflags"), O_RDONLY}},
	{"proc", "open kpagecgroup", 0, NO_PATH, stays_closed, 0, {PTR("/proc/kpagecgroup"), O_RDONLY}},
	TELLS("kallsyms", POLICY | FAST),
	TELLS("keys", POLICY | FAST),
	TELLS("key-users", POLICY),
	TELLS("modules", POLICY),
	TELLS("config.gz", POLICY),
	TELLS("cmdline", POLICY | FAST),
	TELLS("timer_list", POLICY),
	TELLS("timer_stats", POLICY),
	TELLS("sched_debug", POLICY),
	TELLS("schedstat", POLICY),
	TELLS("latency_stats", POLICY),
	TELLS("interrupts", POLICY),
	TELLS("softirqs", POLICY),
	TELLS("locks", POLICY | FAST),
	TELLS("diskstats", POLICY),
	TELLS("pressure/cpu", POLICY),
	TELLS("pressure/memory", POLICY),
	TELLS("acpi", POLICY),
	TELLS("asound", POLICY),
	TELLS("bus", POLICY),
	TELLS("driver", POLICY),
	TELLS("fs", POLICY),
	TELLS("irq", POLICY),
	TELLS("scsi", POLICY),
	TELLS("tty", POLICY),
	TELLS("slabinfo", 0),
	TELLS("vmallocinfo", 0),
	TELLS("pagetypeinfo", 0),
	TELLS("mtrr", POLICY),
	TELLS("vmstat", POLICY),
	TELLS("zoneinfo", POLICY),
	TELLS("buddyinfo", POLICY),
	TELLS("partitions", POLICY),
	TELLS("swaps", POLICY),
	TELLS("sys/kernel/random/boot_id", POLICY),

	CLOSED("sysrq-trigger", FAST),
	CLOSED("sys/kernel/core_pattern", FAST),
	CLOSED("sys/kernel/modprobe", 0),
	CLOSED("sys/kernel/hostname", 0),
	CLOSED("sys/kernel/ns_last_pid", 0),
	CLOSED("sys/kernel/sysrq", 0),
	CLOSED("sys/kernel/shmmax", 0),
	CLOSED("sys/kernel/msgmax", 0),
	CLOSED("sys/vm/overcommit_memory", 0),
	CLOSED("sys/vm/drop_caches", 0),
	CLOSED("sys/user/max_user_namespaces", FAST),
	CLOSED("sys/fs/binfmt_misc/register", 0),
	CLOSED("sys/fs/mqueue/queues_max", 0),
	CLOSED("sys/net/ipv4/ip_forward", 0),
	{"proc", "anything below sys", 0, REFUSED, nothing_writable, 0, {PTR("/proc/sys")}},
	{"proc", "anything of the host's", POLICY, REFUSED, nothing_writable, 0, {PTR("/proc")}},
	CLOSED("1/oom_score_adj", 0),
	CLOSED("1/comm", 0),
	CLOSED("1/uid_map", 0),
	CLOSED("1/timens_offsets", 0),
	{"proc", "init's mem", FAST, NO_PATH, stays_closed, 0, {PTR("/proc/1/mem"), O_RDWR}},
	{"proc", "init's executable", FAST, NO_PATH, stays_closed, 0, {PTR("/proc/1/exe"), O_RDONLY}},
	{"proc", "init's socket", FAST, NO_PATH, stays_closed, 0, {PTR("/proc/1/fd/3"), O_RDWR}},
	{"proc", "init's root", FAST, NO_PATH, stays_closed, 0, {PTR("/proc/1/root/"), O_RDONLY | O_DIRECTORY}},
	{"proc", "init's working directory", 0, NO_PATH, stays_closed, 0, {PTR("/proc/1/cwd/"), O_RDONLY | O_DIRECTORY}},
	INIT("environ"),
	INIT("maps"),
	INIT("smaps"),
	INIT("map_files"),
	INIT("fd"),
	INIT("fdinfo"),
	INIT("auxv"),
	INIT("stack"),
	INIT("syscall"),
	INIT("io"),
	INIT("personality"),
	{"proc", "init's root by its link", 0, NO_PATH, follow, 0, {PTR("/proc/1/root")}},
	{"proc", "init's namespace by its link", 0, NO_PATH, follow, 0, {PTR("/proc/1/ns/user")}},
	{"proc", "init's task", 0, NO_PATH, stays_closed, 0, {PTR("/proc/1/task/1/mem"), O_RDWR}},
	{"proc", "processes", FAST, REFUSED, processes, 0, {0}},
	{"proc", "map_files", 0, NO_PATH, map_files, 0, {0}},

	{"proc", "map another user id", FAST, REFUSED " EROFS", stays_as_it_is, 0, {OWN("uid_map"), PTR("0 0 1")}},
	{"proc", "map another group id", 0, REFUSED " EROFS", stays_as_it_is, 0, {OWN("gid_map"), PTR("0 0 1")}},
	{"proc", "change setgroups", 0, REFUSED " EINVAL EROFS", stays_as_it_is, 0, {OWN("setgroups"), PTR("deny")}},
	{"proc", "shift the clocks", 0, NO_PATH, stays_as_it_is, 0, {OWN("timens_offsets"), PTR("monotonic 100 0")}},
	{"proc", "escape the OOM killer", FAST, REFUSED " EROFS", stays_as_it_is, 0, {OWN("oom_score_adj"), PTR("-1000")}},
	{"proc", "escape the OOM killer the old way", 0, NO_PATH, stays_as_it_is, 0, {OWN("oom_adj"), PTR("-17")}},
	{"proc", "raise the session's share", 0, NO_PATH, stays_as_it_is, 0, {OWN("autogroup"), PTR("-20")}},
	{0},
};
