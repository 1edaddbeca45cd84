/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, CPU, pids, disk, IPC. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* ---- memory ---- */

static void map(const struct probe *p)
{
	must_fail(p, mmap((void *)p->arg[0], PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | (int)p->arg[1], -1, 0) == MAP_FAILED ? -1 : 0);
}

/* On an address where nothing is: the capability is looked at first, and nothing can be poisoned. */
static void poison(const struct probe *p) { must_fail(p, madvise((void *)(1L << 40), PAGE, (int)p->arg[0])); }

static void lock_much(const struct probe *p)
{
	enum { MUCH = 16 << 20 };
	void *m = mmap(NULL, MUCH, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		refused(p, errno);
	must_fail(p, mlock(m, MUCH));
}

static void huge_segment(const struct probe *p) { must_fail(p, shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | IPC_CREAT | 0600)); }

/* ---- CPU ---- */

static void real_time(const struct probe *p)
{
	must_fail(p, sched_setscheduler(0, (int)p->arg[0], &(struct sched_param){.sched_priority = 1}));
}

static void deadline(const struct probe *p)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = {.size = 48, .policy = 6 /* SCHED_DEADLINE */, .runtime = 1 << 20, .deadline = 1 << 24, .period = 1 << 24};
	must_fail(p, syscall(SYS_sched_setattr, 0, &a, 0));
}

/* Raises the hard limit arg[0] by one; unlimited is no limit at all. */
static void raise_limit(const struct probe *p)
{
	struct rlimit l;
	if (getrlimit((__rlimit_resource_t)p->arg[0], &l) < 0)
		refused(p, errno);
	if (l.rlim_max == RLIM_INFINITY)
		escaped(p, "it is unlimited");
	l.rlim_max++;
	must_fail(p, setrlimit((__rlimit_resource_t)p->arg[0], &l));
}

/* ---- pids ---- */

/* Forks children that wait until arg[0], more than any job may have; they die with the probe's group. */
static void many_processes(const struct probe *p)
{
	setpgid(0, 0);
	int count = 0, error = 0;
	for (; count < p->arg[0]; count++) {
		pid_t pid = fork();
		if (pid == 0) {
			for (;;)
				pause();
		}
		if (pid < 0) {
			error = errno;
			break;
		}
	}
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0) /* the next probe needs the room */
		;
	if (error != EAGAIN)
		escaped(p, "%d processes", count);
	held(p, "EAGAIN after %d", count);
}

/* ---- disk ---- */

/* The file system at arg[0] has an end in bytes and in files, far below what a machine has. */
static void bounded(const struct probe *p)
{
	struct statvfs s;
	if (statvfs((const char *)p->arg[0], &s) < 0)
		refused(p, errno);
	unsigned long long mib = (unsigned long long)s.f_blocks * s.f_frsize >> 20;
	if (s.f_blocks == 0 || s.f_files == 0 || mib > 1024 || s.f_files > 1 << 20)
		escaped(p, "%llu MiB, %lu files", mib, (unsigned long)s.f_files);
	held(p, "%llu MiB, %lu files", mib, (unsigned long)s.f_files);
}

static int own_file(const struct probe *p, const char *dir)
{
	char path[64];
	snprintf(path, sizeof path, "%s/probe-%d", dir, (int)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		refused(p, errno);
	unlink(path);
	return fd;
}

/* More room than the file system at arg[0] has: the kernel refuses the whole at once. */
static void overfill(const struct probe *p)
{
	struct statvfs s;
	int fd = own_file(p, (const char *)p->arg[0]);
	signal(SIGXFSZ, SIG_IGN);
	if (fstatvfs(fd, &s) < 0)
		refused(p, errno);
	must_fail(p, fallocate(fd, 0, 0, (off_t)(s.f_blocks + 1) * (off_t)s.f_frsize));
}

static void large_file(const struct probe *p)
{
	int fd = own_file(p, (const char *)p->arg[0]);
	signal(SIGXFSZ, SIG_IGN);
	must_fail(p, ftruncate(fd, 1L << 40));
}

/* ---- IPC ---- */

/* One line, the heading: nobody else's objects. */
static void no_objects(const struct probe *p)
{
	static char text[4096];
	if (read_file((const char *)p->arg[0], text, sizeof text) <= 0)
		refused(p, errno);
	char *end = strchr(text, '\n');
	if (end && end[1])
		escaped(p, "%s", end + 1);
	held(p, "none");
}

static void queue(const struct probe *p)
{
	struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 16};
	must_fail(p, mq_open("/probe", O_CREAT | O_RDWR, 0600, &a));
}

static void empty_shm(const struct probe *p)
{
	must_fail(p, shm_open("/probe-of-another-job", O_RDWR, 0));
}

/* What the daemon sets, whatever it has itself. */
static void at_most(const struct probe *p)
{
	struct rlimit limit;
	if (getrlimit((int)p->arg[0], &limit) < 0)
		refused(p, errno);
	if (limit.rlim_max > (rlim_t)p->arg[1])
		escaped(p, "%llu, want at most %ld", (unsigned long long)limit.rlim_max, p->arg[1]);
	held(p, "%llu", (unsigned long long)limit.rlim_max);
}

/* What chmod 755 would make, as struct posix_acl_xattr_header has it. */
static const struct {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entries[3];
} acl = {2, {{1, 7, ~0U}, {4, 5, ~0U}, {0x20, 5, ~0U}}};

#define AT_MOST(group, name, which, most) {group, name, POLICY, REFUSED, at_most, 0, {which, most}}
#define LIMIT(group, name, flags, which) {group, name, flags, REFUSED, raise_limit, 0, {which}}
#define CALL(group, name, flags, want, ...) {group, name, flags, want, NULL, __VA_ARGS__}

const struct probe resource_probes[] = {
	{"memory", "huge pages", POLICY | FAST, REFUSED " ENOMEM", map, 0, {0, MAP_HUGETLB}},
	{"memory", "the page at zero", 0, REFUSED, map, 0, {0, MAP_FIXED}},
	CALL("memory", "huge pages by memfd", POLICY, REFUSED " ENOMEM", SYS_memfd_create, {PTR("probe"), 4}),
	{"memory", "huge pages by shmget", 0, REFUSED " ENOMEM EINVAL", huge_segment, 0, {0}},
	CALL("memory", "secret memory", POLICY, REFUSED, SYS_memfd_secret, {0}),
	{"memory", "lock 16 MiB", POLICY | FAST, REFUSED " ENOMEM EAGAIN", lock_much, 0, {0}},
	LIMIT("memory", "raise RLIMIT_MEMLOCK", POLICY, RLIMIT_MEMLOCK),
	{"memory", "poison a page", 0, REFUSED " EINVAL", poison, 0, {100 /* MADV_HWPOISON */}},
	{"memory", "offline a page", 0, REFUSED " EINVAL", poison, 0, {101 /* MADV_SOFT_OFFLINE */}},
	CALL("memory", "bind to a node", POLICY, REFUSED, SYS_set_mempolicy, {0, 0, 0}),
	CALL("memory", "move pages", POLICY, REFUSED, SYS_move_pages, {0, 0, 0, 0, 0, 0}),

	{"cpu", "SCHED_FIFO", FAST, REFUSED, real_time, 0, {SCHED_FIFO}},
	{"cpu", "SCHED_RR", 0, REFUSED, real_time, 0, {SCHED_RR}},
	{"cpu", "SCHED_DEADLINE", 0, REFUSED, deadline, 0, {0}},
	CALL("cpu", "nice -5", FAST, REFUSED, SYS_setpriority, {PRIO_PROCESS, 0, -5}),
	CALL("cpu", "priority of a user", 0, REFUSED, SYS_setpriority, {PRIO_USER, 0, -5}),
	CALL("cpu", "disk priority", POLICY, REFUSED, SYS_ioprio_set, {1, 0, 0x4000}),
	CALL("cpu", "real-time disk priority", 0, REFUSED, SYS_ioprio_set, {1, 0, 0x2000}),
	CALL("cpu", "another's core", POLICY, REFUSED, SYS_prctl, {62 /* PR_SCHED_CORE */, 1, 0, 0, 0}),
	LIMIT("cpu", "raise RLIMIT_NICE", FAST, RLIMIT_NICE),
	LIMIT("cpu", "raise RLIMIT_RTPRIO", 0, RLIMIT_RTPRIO),
	LIMIT("cpu", "raise RLIMIT_CPU", POLICY | FAST, RLIMIT_CPU),

	LIMIT("pids", "raise RLIMIT_NPROC", POLICY | FAST, RLIMIT_NPROC),
	{"pids", "1,100 processes", 0, REFUSED, many_processes, 0, {1100}},
	LIMIT("pids", "raise RLIMIT_SIGPENDING", POLICY, RLIMIT_SIGPENDING),

	{"disk", "/tmp has an end", FAST, REFUSED, bounded, 0, {PTR("/tmp")}},
	{"disk", "/workspace has an end", FAST, REFUSED, bounded, 0, {PTR("/workspace")}},
	{"disk", "/dev/shm has an end", FAST, REFUSED, bounded, 0, {PTR("/dev/shm")}},
	{"disk", "overfill /tmp", 0, REFUSED " ENOSPC EFBIG", overfill, 0, {PTR("/tmp")}},
	{"disk", "overfill /workspace", 0, REFUSED " ENOSPC EFBIG", overfill, 0, {PTR("/workspace")}},
	{"disk", "overfill /dev/shm", 0, REFUSED " ENOSPC EFBIG", overfill, 0, {PTR("/dev/shm")}},
	{"disk", "a file of 1 TiB", 0, REFUSED " EFBIG", large_file, 0, {PTR("/workspace")}},
	LIMIT("disk", "raise RLIMIT_FSIZE", FAST, RLIMIT_FSIZE),
	LIMIT("disk", "raise RLIMIT_NOFILE", FAST, RLIMIT_NOFILE),
	AT_MOST("fds", "RLIMIT_NOFILE", RLIMIT_NOFILE, 4096),
	AT_MOST("pids", "RLIMIT_NPROC", RLIMIT_NPROC, 2048),
	AT_MOST("memory", "RLIMIT_STACK", RLIMIT_STACK, 256 << 20),
	AT_MOST("memory", "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK, 64 << 10),
	AT_MOST("ipc", "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE, 0),
	AT_MOST("signals", "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING, 1024),
	CALL("memory", "an access control list", POLICY, REFUSED " EOPNOTSUPP", SYS_setxattr,
	     {PTR("/workspace"), PTR("system.posix_acl_default"), PTR(&acl), sizeof acl, 0}),

	{"ipc", "shared memory segments", FAST, REFUSED, no_objects, 0, {PTR("/proc/sysvipc/shm")}},
	{"ipc", "semaphores", 0, REFUSED, no_objects, 0, {PTR("/proc/sysvipc/sem")}},
	{"ipc", "message queues", 0, REFUSED, no_objects, 0, {PTR("/proc/sysvipc/msg")}},
	{"ipc", "POSIX queues", POLICY, REFUSED, queue, 0, {0}},
	{"ipc", "POSIX segments", 0, NO_PATH, empty_shm, 0, {0}},
	{0},
};
