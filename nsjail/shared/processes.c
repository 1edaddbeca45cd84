/* SPDX-License-Identifier: Apache-2.0 */
/* The list of processes, signals, scheduling, address spaces, IPC, the kernel's log. */
#define _GNU_SOURCE
#include "abuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- tasklist_lock: written by whoever is born or dies, read by whoever looks for a group ---- */

static int fork_and_exit(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

static int execute(void)
{
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/proc/self/exe", "sandbox-abuse", "sandbox-abuse", "nothing", "0", NULL);
		_exit(1);
	}
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

static void *nothing(void *p) { return p; }

static int make_threads(void)
{
	pthread_t t[8];
	int n = 0;
	while (n < 8 && pthread_create(&t[n], NULL, nothing, NULL) == 0)
		n++;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return n ? 0 : -1;
}

static int change_group(void)
{
	setpgid(0, 0);
	return setpgid(0, getpgid(getppid())) < 0 && errno != EPERM ? -1 : 0;
}

static int signal_all(void) { return kill(-1, 0) < 0 && errno != ESRCH && errno != EPERM ? -1 : 0; }

static int ask_priority(void)
{
	errno = 0;
	return getpriority(PRIO_USER, 0) == -1 && errno ? -1 : 0;
}

static int queue_signals(void)
{
	signal(SIGRTMIN, SIG_IGN);
	for (int i = 0; i < 50; i++)
		if (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) < 0 && errno != EAGAIN)
			return -1;
	return 0;
}

/* Each writes to the kernel's log, as far as its rate limit lets it. */
static int crash(void)
{
	static int *volatile nowhere;
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*nowhere = 1;
		_exit(0);
	}
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

/* ---- scheduling ---- */

static int move_cpu(void)
{
	static cpu_set_t all;
	static int have;
	if (!have) {
		if (sched_getaffinity(0, sizeof all, &all) < 0)
			return -1;
		have = 1;
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all)) {
			cpu_set_t one;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			if (sched_setaffinity(0, sizeof one, &one) < 0)
				return -1;
		}
	return sched_setaffinity(0, sizeof all, &all);
}

static int change_policy(void)
{
	struct sched_param p = {0};
	return sched_setscheduler(0, SCHED_BATCH, &p) < 0 || sched_setscheduler(0, SCHED_OTHER, &p) < 0 ? -1 : 0;
}

static int yield(void) { return sched_yield(); }

/* ---- barriers and address spaces ---- */

static int barrier(void) { return (int)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); }

static int barrier_now(void)
{
	static int registered;
	if (!registered && syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) < 0)
		return -1;
	registered = 1;
	return (int)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
}

enum { MIB = 1 << 20, PART = 64 << 10 };

static int map_and_unmap(void)
{
	char *m = mmap(NULL, PART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -1;
	for (int i = 0; i < PART; i += 4096)
		m[i] = 1;
	return munmap(m, PART);
}

/* Two threads on all CPUs, so that each change of the mapping interrupts the other's CPU. */
static void *turn(void *p)
{
	for (;;)
		++*(volatile int *)p;
	return p;
}

static int shoot_down(void)
{
	static int started, counter;
	pthread_t t;
	if (!started && pthread_create(&t, NULL, turn, &counter) != 0)
		return -1;
	started = 1;
	return map_and_unmap();
}

/* MADV_COLLAPSE drains all CPUs' lists of pages first. */
static int collapse(void)
{
	static char *m;
	if (!m && (m = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED)
		return -1;
	m[0] = 1;
	return madvise(m, 4 * MIB, 25) < 0 && errno == ENOSYS ? -1 : 0;
}

static int merge(void)
{
	static char *m;
	if (!m && (m = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED)
		return -1;
	m[0] = 1;
	return madvise(m, MIB, MADV_MERGEABLE) < 0 || madvise(m, MIB, MADV_UNMERGEABLE) < 0 ? -1 : 0;
}

static int make_memfd(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return -1;
	return close(fd);
}

/* More than the half of the memory limit again and again, of files that can be thrown away. */
static int reclaim(void)
{
	enum { MUCH = 1 << 20 };
	char *m = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -1;
	for (int i = 0; i < MUCH; i += 4096)
		m[i] = 1;
	madvise(m, MUCH, MADV_FREE);
	for (int i = 0; i < MUCH; i += 4096)
		m[i] = 1;
	return munmap(m, MUCH);
}

/* ---- IPC ---- */

static int shared_memory(void)
{
	int id = shmget(IPC_PRIVATE, PART, IPC_CREAT | 0600);
	if (id < 0)
		return errno == ENOSPC ? 0 : -1;
	void *m = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	return m == (void *)-1 ? -1 : shmdt(m);
}

static int semaphores(void)
{
	int id = semget(IPC_PRIVATE, 8, IPC_CREAT | 0600);
	if (id < 0)
		return errno == ENOSPC ? 0 : -1;
	semop(id, &(struct sembuf){.sem_op = 1}, 1);
	return semctl(id, 0, IPC_RMID);
}

/* ---- what is refused: that must cost the host nothing either ---- */

static int watch_files(void)
{
	static int fd;
	if (!fd && (fd = inotify_init1(IN_CLOEXEC)) < 0)
		return -1;
	return inotify_add_watch(fd, "/", IN_ALL_EVENTS);
}

static int keys(void) { return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0); }

static int refused_calls(void)
{
	syscall(SYS_keyctl, 0, 0, 0, 0, 0);
	return 0;
}

static int restrict_self(void)
{
	unsigned long handled = 1; /* struct landlock_ruleset_attr: execute */
	int fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
	if (fd < 0)
		return -1;
	return close(fd);
}

static int terminals(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOSPC ? 0 : -1;
	return close(fd);
}

static int random_bytes(void)
{
	static char b[1 << 16];
	return syscall(SYS_getrandom, b, sizeof b, 0) < 0 ? -1 : 0;
}

const struct abuse process_abuses[] = {
	{"fork", NULL, fork_and_exit},
	{"exec", NULL, execute},
	{"threads", NULL, make_threads},
	{"process groups", NULL, change_group},
	{"signals to all", NULL, signal_all},
	{"priority of a user", NULL, ask_priority},
	{"queued signals", NULL, queue_signals},
	{"crashes", NULL, crash},
	{"CPU affinity", NULL, move_cpu},
	{"scheduling policy", NULL, change_policy},
	{"yield", NULL, yield},
	{"membarrier", NULL, barrier},
	{"membarrier expedited", NULL, barrier_now},
	{"mmap and munmap", NULL, map_and_unmap},
	{"TLB shootdown", NULL, shoot_down},
	{"collapsed pages", NULL, collapse},
	{"merged pages", NULL, merge},
	{"memfd", NULL, make_memfd},
	{"memory made and freed", NULL, reclaim},
	{"SysV shared memory", NULL, shared_memory},
	{"SysV semaphores", NULL, semaphores},
	{"inotify", NULL, watch_files},
	{"keyrings", NULL, keys},
	{"refused calls", NULL, refused_calls},
	{"Landlock", NULL, restrict_self},
	{"terminals", NULL, terminals},
	{"random bytes", NULL, random_bytes},
	{NULL, NULL, NULL},
};
