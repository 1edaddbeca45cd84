/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes: each tries one way out of a sandbox, from inside, as the program that runs there. A probe must be visible when it
 * succeeds and must do no harm then: it opens without writing, signals with 0, mounts where only the sandbox looks.
 *
 * Each runs in a child of its own and ends in one of the reports below: a line on stdout that outcome.go reads.
 */
#ifndef ESCAPE_PROBE_H
#define ESCAPE_PROBE_H

enum {
	FAST = 1,    /* one of the few that a daemon tries at each start */
	POLICY = 2,  /* held by the system call policy or the limits of the daemon alone; without them it may succeed */
	OFFLINE = 4, /* for a sandbox without network, and for no other */
	FATAL = 8,   /* ends the whole job where the policy is not lenient */
};

struct probe {
	const char *group, *name;
	unsigned flags;
	const char *want;                 /* the errnos that are the right refusals; others mean that it got too far */
	void (*run)(const struct probe *); /* NULL: the system call below, which must be refused */
	long nr, arg[6];                   /* for run too */
};

/* The usual refusals. SIGSYS: a policy may also kill. */
#define REFUSED "EPERM EACCES ENOSYS SIGSYS"
/* The same for a path, which may also not be there. */
#define NO_PATH REFUSED " EROFS ENOENT ENOTDIR ENXIO ELOOP"

#define PTR(p) ((long)(p))

/* Ends of a probe. */
void refused(const struct probe *p, int error) __attribute__((noreturn));
void held(const struct probe *p, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
void escaped(const struct probe *p, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* Refused when result is negative, with errno; else escaped. */
void must_fail(const struct probe *p, long result) __attribute__((noreturn));

/* Reads a small file whole, as a string; the number of bytes, or -1. */
long read_file(const char *path, char *buffer, unsigned long size);
/* The text of a line of /proc/self/status, or "". */
const char *status_line(const char *name);
/* Whether fd is the null device, which is what a masked file reads as. */
int is_null(int fd);

extern const struct probe mount_probes[], proc_probes[], process_probes[], kernel_probes[], resource_probes[], socket_probes[], network_probes[],
	terminal_probes[], flag_probes[];

#endif
