/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of who waits for what: epoll, poll, timers, futexes. */
#define _GNU_SOURCE
#include "abuse.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned sink;

/* The control: nothing but CPU time. */
static int burn(void)
{
	for (unsigned i = 0; i < 10000; i++)
		sink += i;
	return 0;
}

/* ---- nested epolls: epnested_mutex, whose holder walks all that is beneath ---- */

enum { WIDE = 250 };
static int layer[3][WIDE], top;

static int watch(int epoll, int fd, unsigned events) { return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = events}); }

/* Three layers of epolls, each of one in all of the layer above: 125,000 edges. Added between layers of which nothing is above
 * or beneath, each costs little. */
static int nest(void)
{
	for (int l = 0; l < 3; l++)
		for (int i = 0; i < WIDE; i++)
			if ((layer[l][i] = epoll_create1(0)) < 0)
				return -1;
	for (int l = 0; l < 2; l++)
		for (int i = 0; i < WIDE; i++)
			for (int j = 0; j < WIDE; j++)
				if (watch(layer[l][i], layer[l + 1][j], EPOLLIN) < 0)
					return -1;
	return top = epoll_create1(0);
}

static int nest_more(void)
{
	int i = (int)shared_random(WIDE);
	if (watch(top, layer[0][i], EPOLLIN) < 0)
		return 0; /* another process was first */
	return epoll_ctl(top, EPOLL_CTL_DEL, layer[0][i], NULL);
}

/* ---- wait queues: who wakes walks all of it with interrupts off ---- */

/* The output, which the daemon reads, is watched by each process 900 times. */
static int copies[FILES];

static int copy(int fd)
{
	for (int i = 0; i < FILES; i++)
		if ((copies[i] = dup(fd)) < 0)
			return -1;
	return 0;
}

static int copy_output(void) { return copy(1); }

static int watch_output(void)
{
	static char page[4096] = {'\n'};
	if (!top) {
		if ((top = epoll_create1(0)) < 0)
			return -1;
		for (int i = 0; i < FILES; i++)
			if (watch(top, copies[i], EPOLLOUT | EPOLLET) < 0)
				return -1;
		return 0;
	}
	fcntl(1, F_SETPIPE_SZ, sizeof page); /* so that it is full, and each read wakes who waits for room */
	return write(1, page, sizeof page) < 0 ? -1 : 0;
}

static int end[2];

static int copy_pipe(void) { return pipe(end) < 0 ? -1 : copy(end[0]); }

static int wait_and_wake(void)
{
	static struct pollfd p[FILES];
	char byte = 0;
	if (shared_process == 0)
		return write(end[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 1 ? 0 : -1;
	for (int i = 0; i < FILES; i++)
		p[i] = (struct pollfd){.fd = copies[i], .events = POLLIN};
	return poll(p, FILES, -1);
}

/* ---- timers ---- */

/* All of all processes run out at one moment: one interrupt has them all. */
static int timers[FILES];

static int one_moment(void)
{
	if (!timers[0])
		for (int i = 0; i < FILES; i++)
			if ((timers[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) < 0)
				return -1;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	struct itimerspec at = {.it_value = now};
	at.it_value.tv_nsec = now.tv_nsec / 50000000 * 50000000 + 50000000; /* every 50 ms */
	at.it_value.tv_sec += at.it_value.tv_nsec / 1000000000;
	at.it_value.tv_nsec %= 1000000000;
	for (int i = 0; i < FILES; i++)
		if (timerfd_settime(timers[i], TFD_TIMER_ABSTIME, &at, NULL) < 0)
			return -1;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at.it_value, NULL);
}

/* POSIX timers are in one table of the host; see RLIMIT_SIGPENDING. */
static int make_timers(void)
{
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	timer_t t;
	for (int i = 0; i < 8; i++) {
		if (timer_create(CLOCK_MONOTONIC, &none, &t) < 0)
			return -1;
		timer_delete(t);
	}
	return 0;
}

static int sleep_short(void) { return nanosleep(&(struct timespec){.tv_nsec = 1}, NULL); }

/* ---- futexes between processes: their hash table is the host's ---- */

enum { WORDS = 1 << 18 };
static uint32_t *words;

static int map_words(void)
{
	words = mmap(NULL, WORDS * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return words == MAP_FAILED ? -1 : 0;
}

static int collide(void)
{
	uint32_t *word = words + shared_random(WORDS);
	if (shared_process % 2)
		syscall(SYS_futex, word, FUTEX_WAIT, 0, &(struct timespec){.tv_nsec = 20000000}, NULL, 0);
	else
		syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 0;
}

const struct abuse waiting_abuses[] = {
	{"burn", NULL, burn},
	{"nested epoll", nest, nest_more},
	{"watched output", copy_output, watch_output},
	{"poll", copy_pipe, wait_and_wake},
	{"timers at one moment", NULL, one_moment},
	{"POSIX timers", NULL, make_timers},
	{"short sleeps", NULL, sleep_short},
	{"futexes", map_words, collide},
	{NULL, NULL, NULL},
};
