/* SPDX-License-Identifier: Apache-2.0 */
// What a unit of work costs on this machine, and how many times slower that makes it than the machine that budgets and limits
// of tests are for. The first line is for people, the second, alone, is that whole number, from 1 on. It takes 0.3 s.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Microseconds there, with nothing else running.
static const double fork_there = 600, fault_there = 1.0, steps_there = 1100;

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void fail(const char *what) {
	perror(what);
	exit(1);
}

// start_program forks, executes this static program, which then does nothing, and waits for its end.
static void start_program(void) {
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "cost", "nothing", (char *)NULL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		fail("start a program");
}

static void fault_pages(void) {
	size_t size = 256 * 4096;
	char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || madvise(pages, size, MADV_NOHUGEPAGE) != 0)
		fail("map pages");
	for (size_t at = 0; at < size; at += 4096)
		pages[at] = 1;
	munmap(pages, size);
}

static void take_steps(void) {
	for (volatile int i = 0, x = 1; i < 1000 * 1000; i++)
		x = x * 5 + 1;
}

static int ascending(const void *a, const void *b) {
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

// cost is the median of five means, in microseconds: a mean, so that time that others take counts, a median, so that one stall doesn't.
static double cost(void (*work)(void), int times) {
	double means[5];
	for (int round = 0; round < 5; round++) {
		double from = now();
		for (int i = 0; i < times; i++)
			work();
		means[round] = (now() - from) / times;
	}
	qsort(means, 5, sizeof *means, ascending);
	return means[2];
}

int main(int argc, char **argv) {
	(void)argv;
	if (argc > 1)
		return 0;
	double forks = cost(start_program, 40), fault = cost(fault_pages, 40) / 256, steps = cost(take_steps, 20);
	double ratios[] = {forks / fork_there, fault / fault_there, steps / steps_there};
	qsort(ratios, 3, sizeof *ratios, ascending);
	int slowness = ratios[2] < 1.5 ? 1 : (int)(ratios[2] + 0.5);
	printf("fork + exec + wait %.0f us, page fault %.2f us, a million steps %.0f us: slowness %d\n%d\n", forks, fault, steps, slowness, slowness);
}
