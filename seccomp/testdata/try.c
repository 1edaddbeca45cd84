// Loads the BPF program on stdin and makes one system call under it.
//
//	try native|x32|i386 NR ARG...   prints "= RESULT" or "errno N"
//	try time COUNT NR ARG...        makes it COUNT times and prints how many nanoseconds one took; an empty stdin: no filter
//	try exec PATH ARG...            executes the program with stdin at its end
//
// It drops root first, so that a filter that doesn't hold does no harm. A call that the filter kills ends it with SIGSYS. Exit status 99: the filter couldn't be loaded.

#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define X32_BIT 0x40000000UL
#define NOBODY 65534

static void load(void)
{
	static struct sock_filter code[4096];
	size_t n = fread(code, sizeof(code[0]), 4096, stdin);
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = code };
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	if (!geteuid() && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))) {
		perror("try: drop root");
		_exit(99);
	}
	if (!n)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog)) {
		perror("try: load the filter");
		_exit(99);
	}
}

static long call_i386(long nr)
{
#ifdef __x86_64__
	long ret;
	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr) : "memory", "r8", "r9", "r10", "r11");
	return ret;
#else
	(void)nr;
	return 0;
#endif
}

static double nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); // in the vDSO: not a system call
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void time_calls(long count, char **argv, int argc)
{
	unsigned long a[7] = { 0 };
	double start;

	for (int i = 0; i < argc && i < 7; i++)
		a[i] = strtoul(argv[i], NULL, 0);
	start = nanoseconds();
	for (long i = 0; i < count; i++)
		syscall((long)a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	dprintf(1, "%.1f\n", (nanoseconds() - start) / (double)count);
}

int main(int argc, char **argv)
{
	unsigned long a[7] = { 0 };
	long ret;

	if (argc < 3)
		return 98;
	if (!strcmp(argv[1], "exec")) {
		load();
		execv(argv[2], argv + 2);
		perror("try: exec");
		return 97;
	}
	if (!strcmp(argv[1], "time")) {
		load();
		time_calls(atol(argv[2]), argv + 3, argc - 3);
		return 0;
	}
	for (int i = 2; i < argc && i < 9; i++)
		a[i - 2] = strtoul(argv[i], NULL, 0);
	load();
	if (!strcmp(argv[1], "i386")) {
		ret = call_i386((long)a[0]);
		if (ret < 0 && ret > -4096) {
			errno = (int)-ret;
			ret = -1;
		}
	} else {
		if (!strcmp(argv[1], "x32"))
			a[0] |= X32_BIT;
		ret = syscall((long)a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	}
	if (ret == -1)
		dprintf(1, "errno %d\n", errno);
	else
		dprintf(1, "= %ld\n", ret);
	return 0;
}
