/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the probes: PROGRAM sandbox-probe all|job|bare|fast, or in a sandbox without network offline|offline-bare */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- reports ---- */

/* One line, in one write: "GROUP/NAME: WORD: EVIDENCE". Evidence may hold what others wrote, so it is made printable. */
static void report(const struct probe *p, const char *word, const char *evidence)
{
	char line[512];
	int n = snprintf(line, sizeof line - 1, "%s/%s: %s: %s", p->group, p->name, word, evidence);
	if (n >= (int)sizeof line - 1)
		n = sizeof line - 2;
	for (int i = 0; i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[n++] = '\n';
	if (write(1, line, (size_t)n) != n)
		_exit(2);
}

static void report_format(const struct probe *p, const char *word, const char *format, va_list list)
{
	char text[400];
	vsnprintf(text, sizeof text, format, list);
	report(p, word, text);
}

void held(const struct probe *p, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	report_format(p, "held", format, list);
	va_end(list);
	_exit(0);
}

void escaped(const struct probe *p, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	report_format(p, "ESCAPED", format, list);
	va_end(list);
	_exit(0);
}

static int is_wanted(const struct probe *p, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = p->want; (at = strstr(at, name)); at += n)
		if ((at == p->want || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
			return 1;
	return 0;
}

static void report_refusal(const struct probe *p, const char *name)
{
	char text[64];
	if (is_wanted(p, name)) {
		report(p, "refused", name);
		return;
	}
	snprintf(text, sizeof text, "not refused, it got as far as %s", name);
	report(p, "ESCAPED", text);
}

void refused(const struct probe *p, int error)
{
	const char *name = strerrorname_np(error);
	report_refusal(p, name ? name : "an unknown errno");
	_exit(0);
}

void must_fail(const struct probe *p, long result)
{
	if (result < 0)
		refused(p, errno);
	escaped(p, "it worked and returned %ld", result);
}

/* ---- what several probes use ---- */

long read_file(const char *path, char *buffer, unsigned long size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	unsigned long have = 0;
	ssize_t n;
	while (have < size - 1 && (n = read(fd, buffer + have, size - 1 - have)) > 0)
		have += (unsigned long)n;
	close(fd);
	buffer[have] = 0;
	return (long)have;
}

const char *status_line(const char *name)
{
	static char text[8192];
	size_t n = strlen(name);
	if (read_file("/proc/self/status", text, sizeof text) < 0)
		return "";
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, n) == 0 && line[n] == ':') {
			char *value = line + n + 1 + strspn(line + n + 1, " \t");
			value[strcspn(value, "\n")] = 0;
			return value;
		}
	}
	return "";
}

int is_null(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* ---- the run ---- */

static void try_one(const struct probe *p)
{
	alarm(10); /* one that hangs says nothing */
	errno = 0;
	if (!p->run)
		must_fail(p, syscall(p->nr, p->arg[0], p->arg[1], p->arg[2], p->arg[3], p->arg[4], p->arg[5]));
	p->run(p);
	report(p, "broken", "it came to no end");
	_exit(0);
}

static void run_one(const struct probe *p)
{
	pid_t pid = vfork(); /* no page tables to copy: each probe ends by _exit, and what it leaves in memory nobody reads */
	int status;
	if (pid == 0)
		try_one(p);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		report(p, "broken", strerrorname_np(errno));
		return;
	}
	char name[32];
	if (WIFSIGNALED(status)) {
		const char *signal_name = sigabbrev_np(WTERMSIG(status));
		snprintf(name, sizeof name, "SIG%s", signal_name ? signal_name : "?");
		if (is_wanted(p, name))
			report(p, "refused", name);
		else
			report(p, "broken", name);
	} else if (WEXITSTATUS(status) != 0)
		report(p, "broken", "it ended without a report");
}

/* Runs the probes that have all of the flags in with and none of those in without. */
static int run_all(unsigned with, unsigned without)
{
	/* Mounts last: one that gets through changes what the others would see. */
	static const struct probe *const tables[] = {
		proc_probes, process_probes, kernel_probes, resource_probes, socket_probes, network_probes, terminal_probes, flag_probes,
		mount_probes,
	};
	int count = 0;
	for (unsigned t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (const struct probe *p = tables[t]; p->group; p++)
			if ((p->flags & with) == with && !(p->flags & without)) {
				run_one(p);
				count++;
			}
	return count;
}

/*
 * Takes over before the Go runtime starts, as sandbox-init does: in a sandbox this is the program. Elsewhere it refuses to
 * run: what is harmless in a sandbox may not be so on a host, as root.
 */
__attribute__((constructor)) static void take_over(int argc, char **args)
{
	if (argc != 3 || strcmp(args[1], "sandbox-probe") != 0)
		return;
	char map[256] = "";
	unsigned ids = 0; /* that the first line maps: one in a sandbox, all on a host, many in a container */
	/* Without a user namespace (nsjail.Task) it is an id that no account has, which can't become another. */
	int shared = getuid() >= 65536 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	if (!shared && (read_file("/proc/self/uid_map", map, sizeof map) < 0 || sscanf(map, "%*u %*u %u", &ids) != 1 || ids != 1)) {
		fprintf(stderr, "sandbox-probe: this is no sandbox: run ccee doctor --escape\n");
		_exit(1);
	}
	int count = -1;
	if (strcmp(args[2], "all") == 0)
		count = run_all(0, OFFLINE);
	else if (strcmp(args[2], "job") == 0)
		count = run_all(0, OFFLINE | FATAL);
	else if (strcmp(args[2], "bare") == 0)
		count = run_all(0, POLICY | OFFLINE);
	else if (strcmp(args[2], "fast") == 0)
		count = run_all(FAST, OFFLINE);
	else if (strcmp(args[2], "offline") == 0)
		count = run_all(OFFLINE, 0);
	else if (strcmp(args[2], "offline-bare") == 0)
		count = run_all(OFFLINE, POLICY);
	char line[32];
	int n = snprintf(line, sizeof line, "end: %d\n", count); /* how many lines there must be */
	_exit(count < 0 || write(1, line, (size_t)n) != n);
}
