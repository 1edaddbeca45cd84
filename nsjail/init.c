/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox-init: PID 1 of every sandbox, and the spawner that all sandboxes are cloned from. It obeys the ops of init.h.
 *
 * It decides nothing: order and values come from program.go. It is single-threaded, allocates nothing, and runs before
 * the Go runtime when argv[0] says so (the constructor at the end). Everything here is executed by trusted input only;
 * user code starts at execve, in a process that holds no descriptor of ours.
 */
#define _GNU_SOURCE
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* <sched.h> and <sys/mount.h> clash with the kernel's headers above on some libcs. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MS_PRIVATE
#define MS_PRIVATE (1 << 18)
#endif
/* clone, as <sched.h> has it. */
int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

static char packet[PACKET_MAX] __attribute__((aligned(8)));
static size_t packet_size;
static int fds[PACKET_FDS];
static int nfds;

static int control = CONTROL_FD; /* the socket */

/* The operands of the next EXEC; all of them point into packet. */
static struct rlimit_row {
	int resource;
	struct rlimit value;
} rlimits[RLIMITS_MAX];
static int nrlimits;
static char *argv[STRINGS_MAX], *envp[STRINGS_MAX];
static struct sock_fprog filter;
static unsigned filter_flags;

/* Of the EXEC in hand. Written by the child, which shares memory until execve, and read by init. */
static volatile int stage;         /* see enum exec_stage */
static volatile int failure;       /* errno, 0 after a good execve */
static volatile int listener = -1; /* of the filter, if SECCOMP asked for one */

static pid_t paused; /* the program that has stopped itself, or 0 */

/*
 * Of a sandbox without namespaces (OP_SHARED); program is 0 in all others. Init is root of the machine with two or three capabilities, so
 * it acts on the program's processes and files as the program's user: it can do to them what they could do to each other, and no more.
 * Nobody else has either uid. The keeper's is the real and saved one of a process that kills: what is compared with the killer's is a
 * target's real and saved uid, so no program can send that process a signal, nor trace it. See kill(2), ptrace(2).
 */
static struct shared {
	uid_t keeper, program;
	gid_t group;
	pid_t init;
} shared;

static void die(void) { _exit(125); }

static uint64_t monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t microseconds(struct timeval t) { return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_usec; }

/* ---- the socket ---- */

static void reply(struct reply r, int fd)
{
	struct iovec iov = {&r, sizeof r};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} c;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		memset(&c, 0, sizeof c);
		m.msg_control = &c;
		m.msg_controllen = sizeof c;
		c.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&c.header), &fd, sizeof fd);
	}
	ssize_t n;
	do
		n = sendmsg(control, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != sizeof r)
		die();
}

static void close_fds(void)
{
	while (nfds > 0)
		close(fds[--nfds]);
}

/* Reads the next packet; there is none after the daemon is gone. */
static void receive(void)
{
	close_fds();
	struct iovec iov = {packet, sizeof packet};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof fds)];
	} c;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
	ssize_t n;
	do
		n = recvmsg(control, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		_exit(0);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		die();
	packet_size = (size_t)n;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
			nfds = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(h), (size_t)nfds * sizeof(int));
		}
}

static void ready(void)
{
	reply((struct reply){.code = REPLY_READY}, tree.opened);
	if (tree.opened >= 0)
		close(tree.opened);
	tree.opened = -1;
}

static int write_proc(const char *path, const char *text, int may_be_absent)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && may_be_absent ? 0 : -1;
	return closing(fd, write(fd, text, strlen(text)) < 0 ? -1 : 0);
}

/* ---- identity ---- */

static int set_ids(uint64_t uid, uint64_t gid)
{
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0)
		return -1;
	return (int)syscall(SYS_setresuid, uid, uid, uid);
}

/* Empties every capability set for good; must run as uid 0 of the user namespace. */
static int lock_capabilities(void)
{
	unsigned long c = 0;
	while (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0)
		c++;
	if (errno != EINVAL || c <= CAP_AUDIT_READ) /* EINVAL: there is no capability of that number */
		return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0);
}

static int no_capabilities(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2];
	memset(none, 0, sizeof none);
	return (int)syscall(SYS_capset, &h, none);
}

/* Takes the rights to files of the program's user, or root's again. Neither call says whether it worked; see setfsuid(2). */
static int file_ids(uid_t uid, gid_t gid)
{
	syscall(SYS_setfsgid, gid);
	syscall(SYS_setfsuid, uid);
	if (syscall(SYS_setfsuid, -1) != (long)uid || syscall(SYS_setfsgid, -1) != (long)gid)
		return errno = EPERM, -1;
	return 0;
}

/* No change of ids keeps the death signal; see PR_SET_PDEATHSIG(2const). */
static int die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

/*
 * Kills every process but init. In a pid namespace that is what kill(-1) means, and fork refuses to complete with SIGKILL pending. Without
 * one it means every process whose real or saved uid is our real or effective one: the keeper's and the program's.
 */
static void kill_rest(void)
{
	if (!shared.program) {
		kill(-1, SIGKILL);
		return;
	}
	uid_t real = 0, effective = 0, saved = 0;
	if (syscall(SYS_setresuid, shared.keeper, shared.program, 0) < 0 || syscall(SYS_getresuid, &real, &effective, &saved) < 0 ||
	    real != shared.keeper || effective != shared.program)
		die(); /* never as root: it would be everybody */
	kill(-1, SIGKILL);
	if (syscall(SYS_setresuid, 0, 0, 0) < 0 || die_with_parent() < 0)
		die();
}

/* Of a program whose pid namespace does not end with init: so that it ends with init all the same. Its own children don't. */
static int end_with_init(void)
{
	if (!shared.program)
		return 0;
	if (die_with_parent() < 0)
		return -1;
	if (getppid() != shared.init)
		die();
	return 0;
}

static void default_signals(void)
{
	unsigned long zero[4] = {0}; /* struct sigaction as the kernel has it; libc hides signals 32 and 33 */
	for (int s = 1; s <= 64; s++)
		syscall(SYS_rt_sigaction, s, zero, NULL, 8);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- stops ---- */

/* Before Linux 5.11 close_range(2) closes and does not mark. The numbers that init has open are small: it never has many. */
static int close_on_exec(void)
{
	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF)
			return -1;
	return 0;
}

/*
 * Becomes the program. It shares memory and descriptors with init until execve: so init gets the filter's listener without
 * the program having to send it. execve takes the table apart again before it closes what is marked.
 */
static int become_program(struct op *op)
{
	stage = STAGE_SETSID;
	if (setsid() < 0)
		return -1;
	stage = STAGE_STDIO;
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			return -1;
	stage = STAGE_CLOSE_RANGE; /* marks, so that all is gone at execve whatever was open: CVE-2024-21626 */
	if (close_on_exec() < 0)
		return -1;
	stage = STAGE_RLIMIT;
	for (int i = 0; i < nrlimits; i++)
		if (syscall(SYS_prlimit64, 0, rlimits[i].resource, &rlimits[i].value, NULL) < 0)
			return -1;
	umask((mode_t)op->arg[2]);
	stage = STAGE_CAPABILITIES; /* before the ids: dropping from the bounding set needs CAP_SETPCAP */
	/* A container may have no CAP_SETPCAP. Then the bounding set stays: no program gains by it, with no_new_privs. */
	if (lock_capabilities() < 0 && !(shared.program && errno == EPERM))
		return -1;
	stage = STAGE_IDS;
	if (shared.program && (op->arg[0] != shared.program || op->arg[1] != shared.group))
		return errno = EINVAL, -1;
	if (set_ids(op->arg[0], op->arg[1]) < 0 || end_with_init() < 0)
		return -1;
	stage = STAGE_CAPABILITIES; /* SECBIT_NO_SETUID_FIXUP kept them over setresuid; now they go, and what was inheritable */
	if (no_capabilities() < 0)
		return -1;
	stage = STAGE_CWD; /* with the program's own rights */
	if (chdir(string(op, 0)) < 0)
		return -1;
	stage = STAGE_NO_NEW_PRIVS;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	stage = STAGE_LANDLOCK;
	if (tree.landlock >= 0 && syscall(SYS_landlock_restrict_self, tree.landlock, tree.landlock_flags) < 0)
		return -1;
	stage = STAGE_SECCOMP; /* last: nothing but execve and exit runs under the filter */
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags, &filter);
	if (fd < 0)
		return -1;
	if (filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		listener = fd;
	stage = STAGE_EXECVE;
	return execve(argv[0], argv, envp);
}

/* Reaps until nothing is left; everything else is killed when the main process has ended. Or until that stops itself, if it may. */
static struct reply reap(pid_t program, int may_pause)
{
	struct reply r = {.code = REPLY_EXITED};
	for (;;) {
		int status;
		struct rusage u;
		pid_t pid = wait4(-1, &status, may_pause ? WUNTRACED : 0, &u);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0) { /* ECHILD */
			if (shared.program && getrusage(RUSAGE_CHILDREN, &u) == 0) { /* no cgroup counts it */
				r.arg[2] = microseconds(u.ru_utime);
				r.arg[3] = microseconds(u.ru_stime);
			}
			return r;
		}
		if (pid != program)
			continue;
		if (WIFSTOPPED(status)) {
			paused = program;
			return (struct reply){.code = REPLY_PAUSED, .arg = {0, monotonic_ns()}};
		}
		r.arg[0] = (uint64_t)(unsigned)status;
		r.arg[1] = monotonic_ns();
		r.arg[2] = microseconds(u.ru_utime);
		r.arg[3] = microseconds(u.ru_stime);
		r.arg[4] = (uint64_t)u.ru_maxrss;
		kill_rest();
	}
}

static int program_main(void *op)
{
	become_program(op);
	failure = errno;
	_exit(125);
}

/* As vfork: no page tables to copy, and it returns when the child has executed or ended. */
static pid_t start_program(struct op *op)
{
	static char stack[32 << 10] __attribute__((aligned(16)));
	if (nfds != 3 || !argv[0] || !filter.len)
		return errno = EINVAL, -1;
	return clone(program_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, op);
}

/* Lets go of the program's descriptors: else init would hold its stdout open. */
static void release_streams(void)
{
	close_fds();
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		if (dup2(fd, i) < 0)
			die();
	close(fd);
}

static void drop_listener(void)
{
	if (listener >= 0)
		close(listener);
	listener = -1;
}

/* Gives back the memory of the packet, which is as large as the job's files were: the daemon adds init's memory to the job's
 * limit. */
static void forget_packet(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)packet + page - 1) & ~(page - 1), end = ((uintptr_t)packet + sizeof packet) & ~(page - 1);
	madvise((void *)first, end - first, MADV_DONTNEED);
}

/* Reports that the program runs, and then how it ended. */
static void follow(pid_t pid, int may_pause)
{
	struct rusage own;
	getrusage(RUSAGE_SELF, &own);
	reply((struct reply){REPLY_STARTED, {monotonic_ns(), microseconds(own.ru_utime), microseconds(own.ru_stime)}}, listener);
	drop_listener(); /* the daemon's is the only one: when it goes, nobody waits for an answer */
	forget_packet();
	reply(reap(pid, may_pause), -1);
}

static void close_files(void)
{
	if (tree.file >= 0)
		close(tree.file); /* what is open for writing can't be executed (ETXTBSY) */
	if (tree.source >= 0)
		close(tree.source);
	tree.file = tree.source = -1;
}

static void do_exec(struct op *op, uint64_t index)
{
	failure = 0;
	stage = STAGE_FORK;
	close_files();
	if (shared.program && file_ids(0, 0) < 0) /* the files are written */
		die();
	pid_t pid = start_program(op);
	if (pid < 0)
		failure = errno;
	if (shared.program && die_with_parent() < 0)
		die();
	release_streams();
	if (failure) {
		reap(pid, 0);
		reply((struct reply){REPLY_FAILED, {index, (uint64_t)stage, (uint64_t)failure}}, -1);
	} else {
		follow(pid, op->arg[3] == 1);
	}
	drop_listener();
	nrlimits = 0;
	argv[0] = NULL;
	filter.len = 0;
	if (shared.program && file_ids(shared.program, shared.group) < 0) /* for the files of the next step */
		die();
}

/* Sets the limits of a program that has stopped itself, and continues it. */
static int resume(pid_t pid)
{
	siginfo_t dead = {0};
	stage = STAGE_RLIMIT;
	for (int i = 0; i < nrlimits; i++)
		if (syscall(SYS_prlimit64, pid, rlimits[i].resource, &rlimits[i].value, NULL) < 0)
			return -1;
	stage = STAGE_CONTINUE;
	if (waitid(P_PID, (id_t)pid, &dead, WEXITED | WNOHANG | WNOWAIT) < 0)
		return -1;
	if (dead.si_pid) /* killed while it waited, by whoever can do that */
		return errno = ESRCH, -1;
	return kill(pid, SIGCONT);
}

static void do_continue(struct op *op, uint64_t index)
{
	pid_t pid = paused;
	paused = 0;
	close_files();
	stage = STAGE_CONTINUE;
	if (pid == 0)
		errno = ESRCH;
	if (pid == 0 || resume(pid) < 0)
		reply((struct reply){REPLY_FAILED, {index, (uint64_t)stage, (uint64_t)errno}}, -1);
	else
		follow(pid, op->arg[0] == 1);
	nrlimits = 0;
}

static int write_map(pid_t pid, int pidfd, const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* Alive after the open: so the number was not reused before it. */
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		return closing(fd, -1);
	return closing(fd, write(fd, text, strlen(text)) < 0 ? -1 : 0);
}

/* In the new child: forget the spawner, keep the sandbox's own socket. */
static void become_init(void)
{
	if (dup3(fds[0], CONTROL_FD, O_CLOEXEC) < 0 || syscall(SYS_close_range, CONTROL_FD + 1, ~0U, 0) < 0)
		die();
	nfds = 0;
	tree.base = tree.file = tree.source = tree.landlock = tree.dev_null = tree.empty_dir = -1;
	signal(SIGCHLD, SIG_DFL);
}

static int do_spawn(struct op *op)
{
	int pidfd = -1;
	struct clone_args a = {
		.flags = op->arg[0] | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	if (nfds != 1 + (op->arg[1] ? 1 : 0))
		return errno = EINVAL, -1;
	if (op->arg[1]) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)fds[1];
	}
	signal(SIGCHLD, SIG_IGN); /* the kernel reaps; the daemon holds a pidfd */
	/* Docker's filter refuses clone3, whose flags it can't see, to whoever has no CAP_SYS_ADMIN. */
	pid_t pid = op->arg[0] ? (pid_t)syscall(SYS_clone3, &a, sizeof a) : (pid_t)syscall(SYS_clone, a.flags | SIGCHLD, 0, &pidfd, 0, 0);
	if (pid < 0)
		return -1;
	if (pid == 0) {
		become_init();
		return 0;
	}
	if (op->arg[0] & CLONE_NEWUSER &&
	    (write_map(pid, pidfd, "uid_map", string(op, 0)) < 0 || write_map(pid, pidfd, "gid_map", string(op, 1)) < 0)) {
		int e = errno;
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		errno = e;
		return closing(pidfd, -1);
	}
	reply((struct reply){REPLY_SPAWNED, {(uint64_t)pid}}, pidfd);
	close(pidfd);
	return 0;
}

/* ---- the switch ---- */

static int add_rlimit(struct op *op)
{
	if (nrlimits == RLIMITS_MAX)
		return errno = E2BIG, -1;
	rlimits[nrlimits++] = (struct rlimit_row){(int)op->arg[0], {op->arg[1], op->arg[2]}};
	return 0;
}

/* Takes the packet's last descriptor. */
static int set_source(void)
{
	if (nfds == 0)
		return errno = EINVAL, -1;
	if (tree.source >= 0)
		close(tree.source);
	tree.source = fds[--nfds];
	return 0;
}

static int set_filter(struct op *op)
{
	if (op->arg[0] > data_size(op) || op->arg[0] % sizeof(struct sock_filter))
		return errno = EINVAL, -1;
	filter.len = (unsigned short)(op->arg[0] / sizeof(struct sock_filter));
	filter.filter = (struct sock_filter *)(void *)op->data;
	filter_flags = (unsigned)op->arg[1];
	return 0;
}

/* Resets all that a process inherits through fork and execve and EXEC does not set. */
/* With lenient a lower priority, which takes CAP_SYS_NICE to raise, is kept. */
static int uninherit(int lenient)
{
	int priority = 0; /* struct sched_param */
	if (setsid() < 0) /* no controlling terminal, and no Ctrl-C that is meant for the daemon */
		return -1;
	if (syscall(SYS_sched_setscheduler, 0, SCHED_NORMAL, &priority) < 0)
		return -1;
	if (setpriority(PRIO_PROCESS, 0, 0) < 0 && !(lenient && errno == EACCES))
		return -1;
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_NONE, 0)) < 0)
		return -1;
	if (prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0) < 0 || prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) < 0)
		return -1;
	return personality(PER_LINUX) < 0 ? -1 : 0;
}

/* From here on files are made, and opened, as the program's user. */
static int set_shared(struct op *op)
{
	const uint64_t accounts = 65536; /* ids below it may be somebody's */
	if (op->arg[0] < accounts || op->arg[1] < accounts || op->arg[2] < accounts)
		return errno = EINVAL, -1;
	shared = (struct shared){(uid_t)op->arg[0], (uid_t)op->arg[1], (gid_t)op->arg[2], getpid()};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || syscall(SYS_setgroups, 0, NULL) < 0)
		return -1;
	return file_ids(shared.program, shared.group);
}

static int obey(struct op *op)
{
	switch (op->code) {
	case OP_UNSHARE:
		return (int)syscall(SYS_unshare, op->arg[0]);
	case OP_SET_IDS:
		return set_ids(op->arg[0], op->arg[1]);
	case OP_DEATH_SIGNAL:
		return prctl(PR_SET_PDEATHSIG, op->arg[0], 0, 0, 0);
	case OP_NOT_DUMPABLE:
		return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	case OP_KEYRING:
		return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ? -1 : 0;
	case OP_UNINHERIT:
		return uninherit(op->arg[0] == 1);
	case OP_CORE_COOKIE:
		return prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD, 0);
	case OP_SUBREAPER:
		return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	case OP_SHARED:
		return set_shared(op);
	case OP_PROC_WRITE:
		return write_proc(string(op, 0), string(op, 1), op->arg[0] == 1);
	case OP_HOSTNAME:
		return sethostname(string(op, 0), strlen(string(op, 0)));
	case OP_LOOPBACK:
		return loopback_up();
	case OP_PRIVATE:
		return set_attributes(tree.base, AT_RECURSIVE, 0, MS_PRIVATE);
	case OP_BASE:
		return set_base(string(op, 0));
	case OP_MKDIR:
		return make_dir(op);
	case OP_MKNOD:
		return make_node(op);
	case OP_SYMLINK:
		return make_symlink(op);
	case OP_MOUNT:
		return do_mount(op);
	case OP_BIND:
		return do_bind(op);
	case OP_MASK:
		return do_mask(op);
	case OP_PIVOT:
		return do_pivot();
	case OP_OPEN:
		return open_directory(op);
	case OP_FILE:
		return make_file(op);
	case OP_DATA:
		return more_data(op);
	case OP_SOURCE:
		return set_source();
	case OP_COPY:
		return copy_file(op);
	case OP_RLIMIT:
		return add_rlimit(op);
	case OP_ARGS:
		return strings(op, argv);
	case OP_ENV:
		return strings(op, envp);
	case OP_SECCOMP:
		return set_filter(op);
	case OP_LANDLOCK:
		return make_ruleset(op) < 0 ? -1 : 0;
	case OP_PERMIT:
		return permit(op, beneath(string(op, 0), O_PATH));
	case OP_PERMIT_SELF:
		return permit(op, open("/proc/self/exe", O_PATH | O_CLOEXEC));
	}
	return errno = ENOSYS, -1;
}

static void fail(uint64_t index)
{
	reply((struct reply){REPLY_FAILED, {index, 0, (uint64_t)errno}}, -1);
	die();
}

/* Obeys one packet; its last op must be a stop. */
static void obey_packet(void)
{
	size_t at = 0;
	for (uint64_t index = 0; packet_size - at >= sizeof(struct op); index++) {
		struct op *op = (struct op *)(void *)(packet + at);
		if (op->size < sizeof *op || op->size % 8 || op->size > packet_size - at)
			die();
		at += op->size;
		switch (op->code) {
		case OP_WAIT:
			ready();
			return;
		case OP_SPAWN:
			if (do_spawn(op) < 0)
				reply((struct reply){REPLY_FAILED, {index, 0, (uint64_t)errno}}, -1);
			return;
		case OP_EXEC:
			do_exec(op, index);
			return;
		case OP_CONTINUE:
			do_continue(op, index);
			return;
		default:
			if (obey(op) < 0)
				fail(index);
		}
	}
	die();
}

static void sandbox_init(void)
{
	default_signals();
	umask(0);
	prctl(PR_SET_NAME, "sandbox-init", 0, 0, 0); /* else it is named after the memfd's number */
	if (set_base("/") < 0)
		die();
	for (;;) {
		receive();
		obey_packet();
	}
}

/*
 * Takes over before the Go runtime starts, as libcontainer's nsenter does: glibc hands argc and argv to constructors.
 * The name in argv[0] can't be given by a job: in a sandbox there is no executable that holds this code.
 */
__attribute__((constructor)) static void take_over(int argc, char **args)
{
	if (argc == 1 && strcmp(args[0], "sandbox-init") == 0)
		sandbox_init();
}
