/* The program that the tests run in sandboxes: prog MODE [ARG]. Static, so that an image is this one file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int limits(int argc, char **argv);  /* limits.c */
int locks(int argc, char **argv);   /* locks.c: -1 if it has no such mode */
int network(int argc, char **argv); /* network.c: the same */

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static void show(const char *path)
{
	char b[65536];
	int fd = open(path, O_RDONLY);
	if (fd < 0) {
		printf("%s: %s\n", path, strerror(errno));
		return;
	}
	ssize_t n;
	while ((n = read(fd, b, sizeof b)) > 0)
		fwrite(b, 1, (size_t)n, stdout);
	close(fd);
}

static void flood(long n, long size)
{
	static char b[1 << 20];
	memset(b, 'x', sizeof b);
	while (n > 0) {
		ssize_t w = write(1, b, (size_t)(n < size ? n : size));
		if (w < 0)
			exit(3);
		n -= w;
	}
}

/* A byte every 10 ms, for ever. */
static void drip(void)
{
	for (;;) {
		if (write(1, ".", 1) != 1)
			exit(3);
		usleep(10000);
	}
}

/* Numbered lines to stdout and stderr in turns, one write each, of size bytes or just the number; two in a row to stderr now
 * and then. */
static void alternate(int n, int size)
{
	static char b[1 << 20];
	for (int i = 0; i < n; i++) {
		int len = snprintf(b, sizeof b, "%*d\n", size ? size - 1 : 0, i);
		if (write(i % 2 || i % 7 == 0 ? 2 : 1, b, (size_t)len) != len)
			exit(3);
	}
}

/* A descendant that holds stdout, ignores what can be ignored, and has its own session. */
static void daemonise(void)
{
	if (fork() == 0) {
		setsid();
		for (int s = 1; s < 65; s++)
			signal(s, SIG_IGN);
		if (fork() == 0)
			for (;;)
				pause();
		for (;;)
			pause();
	}
}

/* Leaves stdout in flight in a cycle of two sockets, which keeps it open when nobody is left. */
static void in_flight(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		exit(1);
	for (int i = 0; i < 2; i++) {
		int fds[3] = {1, pair[0], pair[1]};
		char space[CMSG_SPACE(sizeof fds)] = {0};
		struct iovec iov = {"x", 1};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		*h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(h), fds, sizeof fds);
		if (sendmsg(pair[i], &m, 0) < 0)
			exit(1);
	}
}

static void descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d ", fd);
	printf("\n");
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";
	if (is(mode, ""))
		return 0;
	if (is(mode, "exit"))
		return atoi(arg);
	if (is(mode, "signal")) {
		int s = atoi(arg);
		signal(s, SIG_DFL);
		kill(getpid(), s);
		for (;;)
			pause();
	}
	if (is(mode, "echo")) {
		puts(arg);
		return 0;
	}
	if (is(mode, "cat")) {
		char b[65536];
		ssize_t n;
		while ((n = read(0, b, sizeof b)) > 0)
			if (write(1, b, (size_t)n) != n)
				return 1;
		return 0;
	}
	if (is(mode, "show")) {
		for (int i = 2; i < argc; i++)
			show(argv[i]);
		return 0;
	}
	if (is(mode, "env")) {
		for (char **e = environ; *e; e++)
			puts(*e);
		return 0;
	}
	if (is(mode, "flood")) {
		flood(atol(arg), argc > 3 ? atol(argv[3]) : 4096);
		return 0;
	}
	if (is(mode, "drip"))
		drip();
	if (is(mode, "drip on")) { /* by a descendant, which main waits for to begin */
		int ready[2];
		char c;
		if (pipe(ready) < 0)
			return 1;
		if (fork() == 0) {
			setsid();
			close(ready[1]);
			drip();
		}
		close(ready[1]);
		return read(ready[0], &c, 1) != 0;
	}
	if (is(mode, "nonblocking")) { /* by either way; what can't be written at once is given up */
		ioctl(1, FIONBIO, &(int){1});
		fcntl(2, F_SETFL, fcntl(2, F_GETFL) | O_NONBLOCK);
		alternate(atoi(arg), 0);
		return 0;
	}
	if (is(mode, "nonblocking pipe")) { /* of its own: EAGAIN at last */
		int p[2];
		char b[4096] = {0};
		if (pipe(p) < 0 || ioctl(p[1], FIONBIO, &(int){1}) < 0)
			return 1;
		while (write(p[1], b, sizeof b) > 0)
			;
		printf("%s\n", strerror(errno));
		return 0;
	}
	if (is(mode, "enlarge")) { /* stdout's pipe, then fill it in small writes */
		if (fcntl(1, F_SETPIPE_SZ, 1 << 20) < 0)
			return 4;
		flood(atol(arg), 100);
		return 0;
	}
	if (is(mode, "reopen")) { /* stdout and stderr by name, as a shell does */
		for (int i = 0; i < atoi(arg); i++) {
			int fd = open(i % 2 ? "/proc/self/fd/2" : "/proc/self/fd/1", O_WRONLY);
			if (dprintf(fd, "%d\n", i) < 0)
				return 3;
			close(fd);
		}
		return 0;
	}
	if (is(mode, "alternate")) {
		alternate(atoi(arg), argc > 3 ? atoi(argv[3]) : 0);
		return 0;
	}
	if (is(mode, "spin"))
		for (;;)
			;
	if (is(mode, "sleep"))
		for (;;)
			pause();
	if (is(mode, "daemonise")) {
		daemonise();
		puts("parent ends");
		return 0;
	}
	if (is(mode, "inflight")) {
		if (write(1, "in flight\n", 10) != 10)
			return 1;
		in_flight();
		return 0;
	}
	if (is(mode, "memory")) {
		size_t n = (size_t)atol(arg);
		char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(p, 1, n);
		puts("touched");
		return 0;
	}
	if (is(mode, "pause")) { /* stops itself that many times, each time after a call, a word and CPU time; then goes on as the rest says */
		for (int i = 0; i < atoi(arg); i++) {
			syscall(SYS_keyctl, 7);
			printf("pause %d\n", i);
			fflush(stdout);
			for (clock_t end = clock() + CLOCKS_PER_SEC / 10; clock() < end;)
				;
			raise(SIGSTOP);
		}
		execv("/prog", argv + 2);
		perror("/prog");
		return 1;
	}
	if (is(mode, "forkbomb"))
		for (;;)
			if (fork() < 0 && getppid() == 1 && argc > 2)
				return 7;
	if (is(mode, "fork")) { /* as many children as asked for */
		for (int i = 0; i < atoi(arg); i++) {
			pid_t pid = fork();
			if (pid < 0) {
				printf("fork %d: %s\n", i, strerror(errno));
				return 7;
			}
			if (pid == 0)
				for (;;)
					pause();
		}
		puts("forked");
		return 0;
	}
	if (is(mode, "file")) { /* a file of that many bytes */
		int fd = open("big", O_CREAT | O_WRONLY | O_TRUNC, 0644);
		char b[65536];
		memset(b, 1, sizeof b);
		for (long n = atol(arg); n > 0;) {
			ssize_t w = write(fd, b, n < (long)sizeof b ? (size_t)n : sizeof b);
			if (w < 0) {
				perror("write");
				return 5;
			}
			n -= w;
		}
		puts("written");
		return 0;
	}
	if (is(mode, "call")) { /* the call of that number, so many times, by so many processes */
		long result = 0;
		for (int i = 1; i < (argc > 4 ? atoi(argv[4]) : 1); i++)
			if (fork() == 0)
				break;
		for (long n = atol(argv[3]); n > 0; n--)
			result = syscall(atol(arg), 7, 8, 9, 10, 11, 12);
		printf("%ld %s\n", result, strerror(errno));
		return 0;
	}
	if (is(mode, "fds")) {
		descriptors();
		return 0;
	}
	if (is(mode, "write")) { /* leaves something for the next step */
		int fd = open(arg, O_CREAT | O_WRONLY, 0755);
		if (fd >= 0 && write(fd, "left\n", 5) == 5)
			return 0;
		perror(arg);
		return 1;
	}
	int code = network(argc, argv);
	if (code < 0)
		code = locks(argc, argv);
	return code < 0 ? limits(argc, argv) : code;
}
