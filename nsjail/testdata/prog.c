/* The program that the tests run in sandboxes: prog MODE [ARG]. Static, so that an image is this one file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int limits(int argc, char **argv); /* limits.c */

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

static void attempt(const char *what, long r) { printf("%s: %s\n", what, r < 0 ? strerror(errno) : "OK"); }

static void flood(long n)
{
	char b[4096];
	memset(b, 'x', sizeof b);
	while (n > 0) {
		ssize_t w = write(1, b, n < (long)sizeof b ? (size_t)n : sizeof b);
		if (w < 0)
			exit(3);
		n -= w;
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

static void escapes(void)
{
	attempt("mount", mount("none", "/tmp", "tmpfs", 0, ""));
	attempt("umount", umount2("/proc", MNT_DETACH));
	attempt("unshare user", syscall(SYS_unshare, 0x10000000));
	attempt("setuid 0", setuid(0));
	attempt("chroot", chroot("/tmp"));
	attempt("kill init", kill(1, SIGKILL));
	attempt("ptrace init", ptrace(PTRACE_ATTACH, 1, 0, 0));
	attempt("open /proc/1/mem", open("/proc/1/mem", O_RDWR));
	attempt("open /proc/1/exe", open("/proc/1/exe", O_RDONLY));
	attempt("open /proc/1/fd/3", open("/proc/1/fd/3", O_RDWR));
	attempt("write root", open("/new", O_CREAT | O_WRONLY, 0644));
	attempt("write prog", open("/prog", O_WRONLY));
	attempt("chmod setuid root file", chmod("/prog", 04755));
	attempt("mknod", mknod("/tmp/d", S_IFCHR | 0666, 0x103));
	attempt("open /proc/sysrq-trigger", open("/proc/sysrq-trigger", O_WRONLY));
	attempt("write /proc/sys", open("/proc/sys/kernel/core_pattern", O_WRONLY));
	attempt("write /dev/null mode", chmod("/dev/null", 0600));
	attempt("raise nofile", setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20}));
	attempt("sethostname", sethostname("x", 1));
	attempt("pdeathsig", prctl(PR_SET_PDEATHSIG, 0));
	attempt("escape by ..", open("../../../../../../etc/shadow", O_RDONLY));
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
		flood(atol(arg));
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
	if (is(mode, "escapes")) {
		escapes();
		return 0;
	}
	if (is(mode, "fds")) {
		descriptors();
		return 0;
	}
	if (is(mode, "write")) { /* leaves something for the next step */
		int fd = open(arg, O_CREAT | O_WRONLY, 0755);
		return write(fd, "left\n", 5) == 5 ? 0 : 1;
	}
	return limits(argc, argv);
}
