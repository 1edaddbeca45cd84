/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors, signals, ptrace and kin, identity, and what a process inherits. */
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- fds ---- */

static void only_three(const struct probe *p)
{
	for (int fd = 3; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			char path[64], target[128] = "";
			snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
			if (readlink(path, target, sizeof target - 1) < 0)
				target[0] = 0;
			escaped(p, "descriptor %d is open: %s", fd, target);
		}
	held(p, "0, 1, 2 and no other");
}

static void only_pipes(const struct probe *p)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		if (fstat(fd, &st) < 0)
			held(p, "%d is closed", fd);
		if (!S_ISFIFO(st.st_mode) && !is_null(fd))
			escaped(p, "%d is no pipe: mode %o", fd, st.st_mode);
	}
	held(p, "0, 1, 2 are pipes");
}

/* A program that closed all of its own has nothing to open them from again. */
static void no_terminal(const struct probe *p)
{
	must_fail(p, open("/dev/tty", O_RDWR | O_CLOEXEC));
}

static void take_fd(const struct probe *p)
{
	long init = syscall(SYS_pidfd_open, 1, 0);
	if (init < 0)
		refused(p, errno);
	must_fail(p, syscall(SYS_pidfd_getfd, init, p->arg[0], 0));
}

/* An ioctl that types into a terminal; on a pipe the kernel itself says ENOTTY. */
static void type_into(const struct probe *p) { must_fail(p, ioctl(0, (unsigned long)p->arg[0], "x")); }

/* ---- signals ---- */

/* Signal 0 to every number below arg[0]: others than init and its own must not be there. */
static void guess_pids(const struct probe *p)
{
	int found = 0;
	for (int pid = 2; pid < p->arg[0]; pid++)
		if (kill(pid, 0) == 0 || errno == EPERM)
			found++;
	if (found > 32)
		escaped(p, "%d other processes can be named", found);
	held(p, "%d processes answer, all of the job", found);
}

static void signal_init_by_pidfd(const struct probe *p)
{
	long init = syscall(SYS_pidfd_open, 1, 0);
	if (init < 0)
		refused(p, errno);
	must_fail(p, syscall(SYS_pidfd_send_signal, init, 0, NULL, 0));
}

static void queue_to_init(const struct probe *p)
{
	siginfo_t info = {.si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()};
	must_fail(p, syscall(SYS_rt_sigqueueinfo, 1, 0, &info));
}

static void own_session(const struct probe *p)
{
	if (getsid(0) <= 0 || getpgid(0) <= 0)
		escaped(p, "its session %d and group %d are of outside", getsid(0), getpgid(0));
	held(p, "session %d, group %d", getsid(0), getpgid(0));
}

/* ---- ptrace ---- */

static void vm_access(const struct probe *p)
{
	static char b[16];
	struct iovec mine = {b, sizeof b}, its = {(void *)0x400000, sizeof b};
	must_fail(p, syscall(p->nr, 1, &mine, 1, &its, 1, 0));
}

/* SEIZE of a child without its filter. */
static void suspend_filter(const struct probe *p)
{
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	long r = ptrace(PTRACE_SEIZE, child, NULL, 1 << 21 /* PTRACE_O_SUSPEND_SECCOMP */);
	int e = errno;
	kill(child, SIGKILL);
	errno = e;
	must_fail(p, r);
}

static void robust_list(const struct probe *p)
{
	void *head;
	size_t size;
	must_fail(p, syscall(SYS_get_robust_list, 1, &head, &size));
}

static void limits_of_init(const struct probe *p)
{
	struct rlimit old;
	must_fail(p, syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, NULL, &old));
}

static void affinity_of_init(const struct probe *p)
{
	cpu_set_t all;
	memset(&all, 0xff, sizeof all);
	must_fail(p, sched_setaffinity(1, sizeof all, &all));
}

/* ---- identity ---- */

/* /proc/self/status has no capability left in any set. */
static void no_capabilities(const struct probe *p)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	for (unsigned i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		const char *set = status_line(sets[i]);
		if (strspn(set, "0") != strlen(set) || !set[0])
			escaped(p, "%s is %s", sets[i], set);
	}
	held(p, "all five sets are empty");
}

/* The line arg[0] of /proc/self/status is arg[1]. */
static void status_is(const struct probe *p)
{
	const char *name = (const char *)p->arg[0], *want = (const char *)p->arg[1], *got = status_line(name);
	if (strcmp(got, want) != 0)
		escaped(p, "%s is %s, not %s", name, got, want);
	held(p, "%s is %s", name, got[0] ? got : "empty");
}

static void set_groups(const struct probe *p)
{
	gid_t group = 0;
	must_fail(p, syscall(SYS_setgroups, 1, &group));
}

/* setfsuid never fails: it returns what was before, and the next call shows what is. */
static void set_fsuid(const struct probe *p)
{
	syscall(SYS_setfsuid, 0);
	long now = syscall(SYS_setfsuid, -1);
	if (now == 0)
		escaped(p, "it is 0");
	held(p, "it stays %ld", now);
}

static void take_capabilities(const struct probe *p)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct all[2] = {{~0U, ~0U, 0}, {~0U, ~0U, 0}};
	must_fail(p, syscall(SYS_capset, &h, all));
}

static void set_mm(const struct probe *p)
{
	/* An address that can't be: with the capability it would be EINVAL. */
	must_fail(p, prctl(PR_SET_MM, PR_SET_MM_START_CODE, 1, 0, 0));
}

/* ---- inherited ---- */

static void environment(const struct probe *p)
{
	static const char *const words[] = {"CCEE", "REDIS", "AWS", "SECRET", "TOKEN", "API_KEY", "PASSWORD", "SSH", "SUDO", "LD_"};
	int count = 0;
	for (char **e = environ; *e; e++, count++)
		for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
			size_t name = strcspn(*e, "=");
			if (memmem(*e, name, words[i], strlen(words[i])))
				escaped(p, "it has %s", *e);
		}
	held(p, "%d variables, none of the host's", count);
}

static void timers(const struct probe *p)
{
	for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) { /* ITIMER_REAL is the probe's own alarm */
		struct itimerval t;
		if (getitimer(which, &t) < 0)
			refused(p, errno);
		if (t.it_value.tv_sec || t.it_value.tv_usec)
			escaped(p, "timer %d runs", which);
	}
	static char text[256];
	if (read_file("/proc/self/timers", text, sizeof text) > 0)
		escaped(p, "a timer: %s", text);
	held(p, "none");
}

static void scheduling(const struct probe *p)
{
	int policy = sched_getscheduler(0), nice_value = getpriority(PRIO_PROCESS, 0);
	if (policy != SCHED_OTHER || nice_value < 0)
		escaped(p, "policy %d, nice %d", policy, nice_value);
	held(p, "SCHED_OTHER, nice %d", nice_value);
}

static void no_umask(const struct probe *p)
{
	mode_t mask = umask(022);
	if ((mask & 022) != 022)
		escaped(p, "umask %03o", mask);
	held(p, "umask %03o", mask);
}

static void no_core(const struct probe *p)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_CORE, &l) < 0)
		refused(p, errno);
	if (l.rlim_cur != 1 || l.rlim_max != 1) /* for 0 too the kernel starts a handler of the host's, if there is one: core(5) */
		escaped(p, "core files of %lu bytes, at most %lu", (unsigned long)l.rlim_cur, (unsigned long)l.rlim_max);
	held(p, "core files and handlers are off");
}

#define STATUS(name, line, value, flags) {"identity", name, flags, REFUSED, status_is, 0, {PTR(line), PTR(value)}}
#define PRCTL(name, flags, want, option, a, b) {"identity", name, flags, want, NULL, SYS_prctl, {option, a, b, 0, 0}}

const struct probe process_probes[] = {
	{"fds", "inherited", FAST, REFUSED, only_three, 0, {0}},
	{"fds", "standard streams", FAST, REFUSED, only_pipes, 0, {0}},
	{"fds", "terminal", FAST, NO_PATH, no_terminal, 0, {0}},
	{"fds", "take init's socket", FAST, REFUSED, take_fd, 0, {3}},
	{"fds", "take init's first", 0, REFUSED " EBADF", take_fd, 0, {0}},
	{"fds", "TIOCSTI", POLICY, REFUSED " ENOTTY", type_into, 0, {0x5412}},
	{"fds", "TIOCLINUX", POLICY, REFUSED " ENOTTY", type_into, 0, {0x541c}},
	{"fds", "TIOCCONS", 0, REFUSED " ENOTTY", type_into, 0, {0x541d}},

	{"signals", "kill init", FAST, REFUSED, NULL, SYS_kill, {1, 0}},
	{"signals", "tgkill init", 0, REFUSED, NULL, SYS_tgkill, {1, 1, 0}},
	{"signals", "queue to init", 0, REFUSED, queue_to_init, 0, {0}},
	{"signals", "kill init by pidfd", 0, REFUSED, signal_init_by_pidfd, 0, {0}},
	{"signals", "guess 300 pids", FAST, REFUSED, guess_pids, 0, {300}},
	{"signals", "guess all pids", 0, REFUSED, guess_pids, 0, {65536}},
	{"signals", "session of its own", FAST, REFUSED, own_session, 0, {0}},

	/* SEIZE does not stop: nothing happens when it works. */
	{"ptrace", "seize init", FAST, REFUSED, NULL, SYS_ptrace, {PTRACE_SEIZE, 1, 0, 0}},
	{"ptrace", "be traced", POLICY | FAST, REFUSED, NULL, SYS_ptrace, {PTRACE_TRACEME, 0, 0, 0}},
	{"ptrace", "suspend the filter", 0, REFUSED, suspend_filter, 0, {0}},
	{"ptrace", "read init's memory", FAST, REFUSED, vm_access, SYS_process_vm_readv, {0}},
	{"ptrace", "write init's memory", FAST, REFUSED, vm_access, SYS_process_vm_writev, {0}},
	{"ptrace", "kcmp with init", 0, REFUSED, NULL, SYS_kcmp, {1, 1, KCMP_FILE, 0, 0}},
	{"ptrace", "robust list of init", 0, REFUSED, robust_list, 0, {0}},
	{"ptrace", "limits of init", FAST, REFUSED, limits_of_init, 0, {0}},
	{"ptrace", "priority of init", 0, REFUSED, NULL, SYS_setpriority, {PRIO_PROCESS, 1, 5}},
	{"ptrace", "affinity of init", 0, REFUSED, affinity_of_init, 0, {0}},
	{"ptrace", "disk priority of init", 0, REFUSED, NULL, SYS_ioprio_set, {1, 1, 0x6000}},
	{"ptrace", "move init's pages", 0, REFUSED, NULL, SYS_migrate_pages, {1, 0, 0, 0}},
	{"ptrace", "reap init's memory", POLICY, REFUSED, NULL, SYS_process_mrelease, {0, 0}},

	{"identity", "setuid 0", FAST, REFUSED, NULL, SYS_setuid, {0}},
	{"identity", "setgid 0", 0, REFUSED, NULL, SYS_setgid, {0}},
	{"identity", "setresuid 0", 0, REFUSED, NULL, SYS_setresuid, {-1, 0, -1}},
	{"identity", "setreuid of an unmapped id", 0, REFUSED " EINVAL", NULL, SYS_setreuid, {-1, 33}},
	{"identity", "setgroups", FAST, REFUSED, set_groups, 0, {0}},
	{"identity", "setfsuid", 0, REFUSED, set_fsuid, 0, {0}},
	{"identity", "capset", FAST, REFUSED, take_capabilities, 0, {0}},
	{"identity", "capabilities", FAST, REFUSED, no_capabilities, 0, {0}},
	STATUS("no_new_privs", "NoNewPrivs", "1", FAST),
	STATUS("filter", "Seccomp", "2", FAST),
	STATUS("uid", "Uid", "1000\t1000\t1000\t1000", FAST),
	STATUS("gid", "Gid", "1000\t1000\t1000\t1000", 0),
	STATUS("groups", "Groups", "", 0),
	PRCTL("unset no_new_privs", 0, REFUSED " EINVAL", PR_SET_NO_NEW_PRIVS, 0, 0),
	PRCTL("keep capabilities", 0, REFUSED, PR_SET_KEEPCAPS, 1, 0),
	PRCTL("unlock securebits", 0, REFUSED, PR_SET_SECUREBITS, 0, 0),
	PRCTL("raise an ambient capability", 0, REFUSED, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN),
	{"identity", "move its memory map", 0, REFUSED, set_mm, 0, {0}},

	{"inherited", "environment", FAST, REFUSED, environment, 0, {0}},
	{"inherited", "blocked signals", 0, REFUSED, status_is, 0, {PTR("SigBlk"), PTR("0000000000000000")}},
	{"inherited", "ignored signals", 0, REFUSED, status_is, 0, {PTR("SigIgn"), PTR("0000000000000000")}},
	{"inherited", "timers", 0, REFUSED, timers, 0, {0}},
	{"inherited", "scheduling", 0, REFUSED, scheduling, 0, {0}},
	{"inherited", "umask", 0, REFUSED, no_umask, 0, {0}},
	{"inherited", "core files", POLICY, REFUSED, no_core, 0, {0}},
	{0},
};
