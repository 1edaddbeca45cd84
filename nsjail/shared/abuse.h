/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Abuses: each takes, as fast as it can and by allowed means, something that the host has once: a lock, a list, a queue, the
 * disk. They run in a sandbox with a job's limits and end with it.
 */
#ifndef SHARED_ABUSE_H
#define SHARED_ABUSE_H

enum { FILES = 900 }; /* descriptors that one process uses; openFiles is 1024 unless asked for otherwise */

struct abuse {
	const char *name;     /* as in abuses.go */
	int (*prepare)(void); /* once, before the processes are forked; NULL: nothing to do; negative: refused, with errno */
	int (*step)(void);    /* again and again, by each process; negative the first time: refused, with errno */
};

extern const struct abuse waiting_abuses[], file_abuses[], process_abuses[], socket_abuses[];

/* Which of the processes this is: 0 the first, which reports. */
extern int shared_process;
/* Opens the file of some MiB that the root has for this. */
int shared_disk(int flags);
/* A number below n, never the same ones. */
unsigned shared_random(unsigned n);

#endif
