/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one abuse: PROGRAM sandbox-abuse NAME PROCESSES. It prints "ready" when the abuse works, and repeats it for ever; "nothing" ends at once. */
#define _GNU_SOURCE
#include "abuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int shared_process;

int shared_disk(int flags) { return open("/disk", O_RDONLY | O_CLOEXEC | flags); }

unsigned shared_random(unsigned n)
{
	static unsigned state;
	state = (state ? state : (unsigned)getpid()) * 1664525 + 1013904223;
	return (unsigned)((unsigned long)state * n >> 32);
}

static const struct abuse *find(const char *name)
{
	const struct abuse *tables[] = {waiting_abuses, file_abuses, process_abuses, socket_abuses};
	for (unsigned t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (const struct abuse *a = tables[t]; a->name; a++)
			if (strcmp(a->name, name) == 0)
				return a;
	return NULL;
}

static void say(const char *word, int error)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s%s\n", word, error ? strerrorname_np(error) : "");
	if (write(1, line, (size_t)n) != n)
		_exit(2);
}

static void run(const struct abuse *a, int processes)
{
	int gate[2]; /* the others begin after "ready", lest their output comes before it */
	char none;
	if ((a->prepare && a->prepare() < 0) || pipe(gate) < 0) {
		say("refused: ", errno);
		return;
	}
	for (int i = 1; i < processes && shared_process == 0; i++) {
		pid_t pid = fork();
		if (pid < 0) {
			say("refused: fork: ", errno);
			return;
		}
		if (pid == 0)
			shared_process = i;
	}
	if (shared_process == 0 && a->step() < 0) {
		say("refused: ", errno);
		return;
	}
	if (shared_process == 0)
		say("ready", 0);
	close(gate[1]);
	if (read(gate[0], &none, 1) != 0)
		return;
	for (;;)
		a->step();
}

/* Takes over before the Go runtime starts; elsewhere than in a sandbox, whose limits bound what these do, it refuses to run. */
__attribute__((constructor)) static void take_over(int argc, char **args)
{
	if (argc != 4 || strcmp(args[1], "sandbox-abuse") != 0)
		return;
	unsigned ids = 0; /* that the first line of the map has: one in a sandbox */
	FILE *map = fopen("/proc/self/uid_map", "re");
	if (!map || fscanf(map, "%*u %*u %u", &ids) != 1 || ids != 1) {
		fprintf(stderr, "sandbox-abuse: this is no sandbox: run ccee doctor --shared\n");
		_exit(1);
	}
	fclose(map);
	if (strcmp(args[2], "nothing") == 0)
		_exit(0);
	const struct abuse *a = find(args[2]);
	if (!a) {
		fprintf(stderr, "sandbox-abuse: there is no %s\n", args[2]);
		_exit(1);
	}
	run(a, atoi(args[3]));
	_exit(0);
}
