/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that everybody makes, with a value of an argument that reaches what is one for the whole host: its disk, its page cache, its CPUs; or
 * code of the kernel that no program needs. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* A file of the image, or else one of its own: an image may be empty. */
static const char *a_file(void)
{
	static const char *const image[] = {"/etc/passwd", "/etc/hosts"};
	static char own[64];
	for (unsigned i = 0; i < sizeof image / sizeof image[0]; i++)
		if (access(image[i], R_OK) == 0)
			return image[i];
	snprintf(own, sizeof own, "/workspace/flags-%d", (int)getpid());
	close(open(own, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	return own;
}

/* ---- the disk ---- */

static void open_direct(const struct probe *p)
{
	const char *file = a_file();
#ifdef SYS_open
	if (p->arg[0])
		must_fail(p, syscall(SYS_open, file, O_RDONLY | O_DIRECT, 0));
#endif
	must_fail(p, syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_DIRECT, 0));
}

static void open_how(const struct probe *p)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECT};
	must_fail(p, syscall(SYS_openat2, AT_FDCWD, a_file(), &how, sizeof how));
}

static void become_direct(const struct probe *p)
{
	int fd = open(a_file(), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		refused(p, errno);
	must_fail(p, fcntl(fd, F_SETFL, O_DIRECT));
}

static void read_flags(const struct probe *p)
{
	static char b[PAGE];
	struct iovec iov = {b, sizeof b};
	int fd = open(a_file(), O_RDONLY | O_CLOEXEC);
	must_fail(p, fd < 0 ? -1 : syscall(SYS_preadv2, fd, &iov, 1, 0, 0, p->arg[0]));
}

/* The kernel says EINVAL of the null device: so one can see whether it was asked. */
static void flush(const struct probe *p)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (syscall(p->nr, fd, 0, 0, 0) < 0 && errno != ENOSYS)
		escaped(p, "it was done: %s", errno == EINVAL ? "EINVAL" : "another error");
	held(p, "it is not done");
}

/* Where nothing is mapped it says ENOMEM. */
static void flush_mapping(const struct probe *p)
{
	if (msync((void *)(1L << 40), PAGE, MS_SYNC) < 0 && errno != ENOSYS)
		escaped(p, "it was done");
	held(p, "it is not done");
}

/* ---- pages and CPUs ---- */

static void advise(const struct probe *p)
{
	void *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		refused(p, errno);
	must_fail(p, madvise(m, PAGE, (int)p->arg[0]));
}

static void map_flags(const struct probe *p)
{
	must_fail(p, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | (int)p->arg[0], -1, 0) == MAP_FAILED ? -1 : 0);
}

static void slice(const struct probe *p)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = {.size = 48, .runtime = 100000 /* ns */};
	must_fail(p, syscall(SYS_sched_setattr, 0, &a, 0));
}

/* On a word that nobody waits for; both words being the same, the kernel has an error of its own for it. */
static void requeue(const struct probe *p)
{
	static uint32_t word;
	must_fail(p, syscall(SYS_futex, &word, p->arg[0], 1, NULL, &word, 1));
}

/* ---- pipes and sockets ---- */

static void pipe_flags(const struct probe *p)
{
	int fds[2];
	must_fail(p, pipe2(fds, (int)p->arg[0]));
}

static void message(const struct probe *p)
{
	int fds[2];
	char b = 'x';
	struct iovec iov = {&b, 1};
	struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int flags = (int)p->arg[0] | MSG_DONTWAIT;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		refused(p, errno);
	switch (p->nr) {
	case SYS_sendto:
		must_fail(p, send(fds[0], &b, 1, flags));
	case SYS_recvfrom:
		must_fail(p, recv(fds[0], &b, 1, flags));
	case SYS_sendmsg:
		must_fail(p, sendmsg(fds[0], &m.msg_hdr, flags));
	case SYS_recvmsg:
		must_fail(p, recvmsg(fds[0], &m.msg_hdr, flags));
	case SYS_sendmmsg:
		must_fail(p, sendmmsg(fds[0], &m, 1, flags));
	}
	must_fail(p, recvmmsg(fds[0], &m, 1, flags, NULL));
}

/* ---- the host's handler of crashes ---- */

/* It is started for every limit but 1. */
static void core_limit(const struct probe *p)
{
	struct rlimit none = {0, 0}, now;
	long how = p->arg[0];
#ifdef SYS_setrlimit
	if (how == 0)
		syscall(SYS_setrlimit, RLIMIT_CORE, &none);
#endif
	if (how == 1)
		syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, NULL);
	if (how == 2)
		syscall(SYS_prlimit64, getpid(), RLIMIT_CORE, &none, &now);
	if (getrlimit(RLIMIT_CORE, &now) < 0)
		refused(p, errno);
	if (now.rlim_cur != 1 || now.rlim_max != 1)
		escaped(p, "it is %lu, at most %lu", (unsigned long)now.rlim_cur, (unsigned long)now.rlim_max);
	held(p, "it stays 1");
}

/* Nothing of its memory would be in a dump; the file is not there where the kernel makes none. */
static void core_filter(const struct probe *p)
{
	static char text[32];
	if (read_file("/proc/self/coredump_filter", text, sizeof text) < 0)
		refused(p, errno);
	if (text[0] == 0) /* that of a process that can't be dumped */
		held(p, "it is not dumped");
	for (const char *c = text; *c && *c != '\n'; c++)
		if (*c != '0')
			escaped(p, "it is %s", text);
	held(p, "it is 0");
}

#define NO_DIRECT REFUSED " EINVAL"
#define NO_MESSAGE REFUSED " EOPNOTSUPP"
#define ADVICE(name, value) {"memory", name, POLICY, REFUSED " EINVAL", advise, 0, {value}}
#define MESSAGE(name, call, flag) {"sockets", name, POLICY, NO_MESSAGE, message, call, {flag}}

const struct probe flag_probes[] = {
#ifdef SYS_open
	{"disk", "past the page cache by open", POLICY, NO_DIRECT, open_direct, 0, {1}},
#endif
	{"disk", "past the page cache", POLICY, NO_DIRECT, open_direct, 0, {0}},
	{"disk", "past the page cache by openat2", POLICY, REFUSED, open_how, 0, {0}},
	{"disk", "past the page cache by fcntl", POLICY, NO_DIRECT, become_direct, 0, {0}},
	{"disk", "out of the page cache again", POLICY, REFUSED, read_flags, 0, {0x80 /* RWF_DONTCACHE */}},
	{"disk", "fsync", POLICY, REFUSED, flush, SYS_fsync, {0}},
	{"disk", "fdatasync", POLICY, REFUSED, flush, SYS_fdatasync, {0}},
	{"disk", "sync_file_range", POLICY, REFUSED, flush, SYS_sync_file_range, {0}},
	{"disk", "msync", POLICY, REFUSED, flush_mapping, 0, {0}},

	ADVICE("same page as another job's", MADV_MERGEABLE),
	ADVICE("age pages", 20 /* MADV_COLD */),
	ADVICE("page out", 21 /* MADV_PAGEOUT */),
	ADVICE("collapse pages", 25 /* MADV_COLLAPSE */),
	{"memory", "a mapping that grows", POLICY, REFUSED " EINVAL", map_flags, 0, {MAP_GROWSDOWN}},
	{"cpu", "a slice of its own", POLICY, REFUSED, slice, 0, {0}},
	{"cpu", "interrupt other processes", POLICY, REFUSED, NULL, SYS_membarrier, {4 /* REGISTER_GLOBAL_EXPEDITED */, 0, 0}},
	{"cpu", "interrupt those that want it", POLICY, REFUSED, NULL, SYS_membarrier, {2 /* GLOBAL_EXPEDITED */, 0, 0}},
	{"abi", "wait for a requeue with priority", POLICY, "ENOSYS", requeue, 0, {FUTEX_WAIT_REQUEUE_PI}},
	{"abi", "requeue with priority", POLICY, "ENOSYS", requeue, 0, {FUTEX_CMP_REQUEUE_PI}},
#ifdef __x86_64__
	{"abi", "AMX", POLICY, REFUSED, NULL, SYS_arch_prctl, {0x1023 /* ARCH_REQ_XCOMP_PERM */, 18}},
	{"abi", "tags in addresses", POLICY, REFUSED, NULL, SYS_arch_prctl, {0x4002 /* ARCH_ENABLE_TAGGED_ADDR */, 6}},
	{"abi", "the GS register", POLICY, REFUSED, NULL, SYS_arch_prctl, {0x1001 /* ARCH_SET_GS */, 0}},
#endif

	{"sockets", "a pipe of notifications", POLICY, REFUSED " EINVAL", pipe_flags, 0, {0x80 /* O_NOTIFICATION_PIPE */}},
	MESSAGE("send MSG_OOB", SYS_sendto, MSG_OOB),
	MESSAGE("recv MSG_OOB", SYS_recvfrom, MSG_OOB),
	MESSAGE("sendmsg MSG_OOB", SYS_sendmsg, MSG_OOB),
	MESSAGE("recvmsg MSG_OOB", SYS_recvmsg, MSG_OOB),
	MESSAGE("sendmmsg MSG_OOB", SYS_sendmmsg, MSG_OOB),
	MESSAGE("recvmmsg MSG_OOB", SYS_recvmmsg, MSG_OOB),
	MESSAGE("send MSG_FASTOPEN", SYS_sendto, 0x20000000),
	MESSAGE("sendmsg MSG_FASTOPEN", SYS_sendmsg, 0x20000000),

	{"inherited", "core limit by setrlimit", POLICY | FAST, REFUSED, core_limit, 0, {0}},
	{"inherited", "core limit by prlimit", POLICY | FAST, REFUSED, core_limit, 0, {1}},
	{"inherited", "core limit by prlimit with the old one", POLICY, REFUSED, core_limit, 0, {2}},
	{"inherited", "core filter", FAST, REFUSED " ENOENT", core_filter, 0, {0}},
	{0},
};
