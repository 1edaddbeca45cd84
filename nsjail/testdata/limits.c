/* What uses up limits: the modes of prog in the table at the end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB };

/* Each takes one unit more and returns the bytes that it is at least, or -1 with errno. The sizes of kernel objects are
 * below what any kernel of the last ten years needs for them. */

static long map(int flags)
{
	char *p = mmap(NULL, 256 * KIB, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	memset(p, 1, 256 * KIB);
	return 256 * KIB;
}

static long take_anon(void) { return map(MAP_PRIVATE); }
static long take_shared(void) { return map(MAP_SHARED); }

static long append(int fd)
{
	static char page[4 * KIB] = {1};
	return write(fd, page, sizeof page);
}

static long grow(const char *path)
{
	static int fd = -1;
	if (fd < 0 && (fd = open(path, O_CREAT | O_WRONLY, 0600)) < 0)
		return -1;
	return append(fd);
}

static long take_workspace(void) { return grow("/workspace/f"); }
static long take_tmp(void) { return grow("/tmp/f"); }
static long take_shm(void) { return grow("/dev/shm/f"); }

static long take_memfd(void)
{
	static int fd = -1;
	if (fd < 0 && (fd = memfd_create("f", 0)) < 0)
		return -1;
	return append(fd);
}

/* Fills until it would block. */
static long fill(int fd)
{
	long n = 0, w;
	while ((w = append(fd)) > 0)
		n += w;
	return errno == EAGAIN ? n : -1;
}

static long take_pipe(void)
{
	int p[2];
	if (pipe2(p, O_NONBLOCK) < 0)
		return -1;
	return fill(p[1]);
}

static long take_socket(void)
{
	int s[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) < 0)
		return -1;
	return fill(s[0]);
}

/* A connection whose receiver doesn't read. */
static long take_tcp(void)
{
	static int server = -1;
	static struct sockaddr_in to = {.sin_family = AF_INET};
	socklen_t n = sizeof to;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (server < 0) {
		server = socket(AF_INET, SOCK_STREAM, 0);
		if (server < 0 || bind(server, (struct sockaddr *)&to, n) < 0 || listen(server, 64) < 0 || getsockname(server, (struct sockaddr *)&to, &n) < 0)
			return -1;
	}
	int client = socket(AF_INET, SOCK_STREAM, 0);
	if (client < 0 || connect(client, (struct sockaddr *)&to, n) < 0 || accept(server, NULL, NULL) < 0 || fcntl(client, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	return fill(client);
}

/* A connection that nobody accepts, and that its maker has closed. */
static long take_backlog(void)
{
	static int server = -1, n;
	static struct sockaddr_in to;
	socklen_t size = sizeof to;
	if (server < 0 || ++n % 4000 == 0) {
		to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		server = socket(AF_INET, SOCK_STREAM, 0);
		if (server < 0 || bind(server, (struct sockaddr *)&to, size) < 0 || listen(server, 4096) < 0 || getsockname(server, (struct sockaddr *)&to, &size) < 0)
			return -1;
	}
	int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (client < 0 || (connect(client, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS))
		return -1;
	close(client);
	return 2 * KIB;
}

/* A receiver that doesn't read; what it can't hold is lost without a word, so what counts is what one can by default. */
static long take_udp(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof to;
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (server < 0 || client < 0 || bind(server, (struct sockaddr *)&to, n) < 0 || getsockname(server, (struct sockaddr *)&to, &n) < 0 ||
	    connect(client, (struct sockaddr *)&to, n) < 0)
		return -1;
	for (int i = 0; i < 64; i++)
		if (append(client) < 0 && errno != EAGAIN)
			return -1;
	close(client);
	return 64 * KIB;
}

enum { FILE_SIZE = 160 };

static long take_eventfd(void) { return eventfd(0, 0) < 0 ? -1 : FILE_SIZE; }
static long take_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, 0) < 0 ? -1 : FILE_SIZE; }
static long take_open(void) { return open("/dev/null", O_RDONLY) < 0 ? -1 : FILE_SIZE; }

static long take_epoll(void)
{
	int e = epoll_create1(0);
	struct epoll_event none = {0};
	if (e < 0 || epoll_ctl(e, EPOLL_CTL_ADD, 1, &none) < 0)
		return -1;
	return FILE_SIZE;
}

static long take_inode(void)
{
	static int i;
	char name[64];
	snprintf(name, sizeof name, "/workspace/%d.%d", getpid(), i++);
	int fd = open(name, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return 600;
}

static long take_sysv(void)
{
	int id = shmget(IPC_PRIVATE, 256 * KIB, 0600);
	char *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	if (p == (void *)-1)
		return -1;
	memset(p, 1, 256 * KIB);
	return shmdt(p) < 0 ? -1 : 256 * KIB;
}

static long take_mqueue(void)
{
	static int i;
	static char message[8 * KIB];
	char name[32];
	struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = sizeof message};
	snprintf(name, sizeof name, "/%d.%d", getpid(), i++);
	mqd_t q = mq_open(name, O_CREAT | O_WRONLY | O_NONBLOCK, 0600, &a);
	if (q < 0)
		return -1;
	long n = 0;
	while (mq_send(q, message, sizeof message, 0) == 0)
		n += sizeof message;
	return errno == EAGAIN ? n : -1;
}

enum { STACK = 256 * KIB };

static void *use_stack(void *touched)
{
	volatile char s[STACK - 32 * KIB];
	for (unsigned i = 0; i < sizeof s; i += 4 * KIB)
		s[i] = 1;
	pthread_barrier_wait(touched);
	for (;;)
		pause();
	return NULL;
}

static long take_thread(void)
{
	static pthread_barrier_t touched;
	pthread_t t;
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, STACK);
	pthread_barrier_init(&touched, NULL, 2);
	int e = pthread_create(&t, &a, use_stack, &touched);
	if (e)
		return errno = e, -1;
	pthread_barrier_wait(&touched);
	return STACK - 32 * KIB;
}

/* Reads a byte of every 2 MiB: each needs a page of a page table, and no memory beyond that of its own. */
static long take_pagetable(void)
{
	enum { REGION = 1024 * MIB };
	static char *p, *end;
	if (p == end) {
		p = mmap(NULL, REGION, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			return p = NULL, -1;
		madvise(p, REGION, MADV_NOHUGEPAGE);
		end = p + REGION;
	}
	(void)*(volatile char *)p;
	p += 2 * MIB;
	return 4 * KIB;
}

/* Splits a mapping page by page. */
static long take_vma(void)
{
	enum { REGION = 128 * MIB };
	static char *p, *end;
	if (p == end) {
		p = mmap(NULL, REGION, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			return p = NULL, -1;
		end = p + REGION;
	}
	if (mprotect(p, 4 * KIB, PROT_NONE) < 0)
		return -1;
	p += 8 * KIB;
	return 2 * 128;
}

static long take_xattr(void)
{
	static int i;
	static char value[32 * KIB];
	char path[64];
	snprintf(path, sizeof path, "/workspace/%d", i++);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		return -1;
	int r = fsetxattr(fd, "user.x", value, sizeof value, 0);
	close(fd);
	return r < 0 ? -1 : (long)sizeof value;
}

static const struct form {
	const char *name;
	long (*take)(void);
} forms[] = {
	{"anon", take_anon}, {"shared", take_shared}, {"workspace", take_workspace}, {"tmp", take_tmp}, {"shm", take_shm},
	{"memfd", take_memfd}, {"pipe", take_pipe}, {"socket", take_socket}, {"tcp", take_tcp}, {"udp", take_udp}, {"backlog", take_backlog},
	{"eventfd", take_eventfd},
	{"timerfd", take_timerfd}, {"epoll", take_epoll}, {"open", take_open}, {"inode", take_inode}, {"sysv", take_sysv},
	{"mqueue", take_mqueue}, {"thread", take_thread}, {"pagetable", take_pagetable}, {"vma", take_vma},
	{"xattr", take_xattr},
};

/* A process that has as many descriptors or mappings as it may goes on as its child. */
static void take(const struct form *f, long want, int hold)
{
	long taken = 0;
	while (taken < want) {
		long n = f->take();
		if (n >= 0) {
			taken += n;
			continue;
		}
		int status = errno, limit = errno == EMFILE;
		pid_t pid = limit ? fork() : -1;
		if (pid < 0) {
			printf("%s after %ld\n", strerror(errno), taken);
			fflush(stdout);
			_exit(5);
		}
		if (pid > 0) {
			waitpid(pid, &status, 0);
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 6);
		}
		syscall(SYS_close_range, 3, ~0U, 0);
	}
	printf("took %ld\n", taken);
	fflush(stdout);
	while (hold)
		pause();
	_exit(0);
}

static void say(const char *what, int ok)
{
	printf("%s: %s\n", what, ok ? "OK" : strerror(errno));
	fflush(stdout);
	if (!ok)
		_exit(5);
}

/* take FORM BYTES [hold] */
static void mode_take(char **arg)
{
	for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strcmp(arg[0], forms[i].name) == 0)
			take(&forms[i], atol(arg[1]), arg[2] != NULL);
}

/* forked FORM BYTES: a child takes it, and its parent never ends. */
static void mode_forked(char **arg)
{
	if (fork() == 0)
		mode_take(arg);
	for (;;)
		pause();
}

/* outlive FORM BYTES: a child takes them, and its end is none for the parent */
static void mode_outlive(char **arg)
{
	pid_t child = fork();
	if (child == 0)
		mode_take(arg);
	if (waitpid(child, NULL, 0) == child)
		puts("outlived");
}

/* adjust SCORE */
static void mode_adjust(char **arg)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd < 0)
		say("open", 0);
	say(arg[0], write(fd, arg[0], strlen(arg[0])) > 0);
}

/* open COUNT: that many descriptors beside 0, 1 and 2 */
static void mode_open(char **arg)
{
	for (int i = 0; i < atoi(arg[0]); i++)
		if (open("/dev/null", O_RDONLY) < 0)
			say("open", 0);
	say("open", 1);
}

/* fill PATH BYTES: a file of that size */
static void mode_fill(char **arg)
{
	static char b[4 * KIB] = {1};
	int fd = open(arg[0], O_CREAT | O_WRONLY, 0600);
	for (long left = atol(arg[1]); left > 0;) {
		ssize_t w = write(fd, b, left < (long)sizeof b ? (size_t)left : sizeof b);
		if (w < 0)
			say("fill", 0);
		left -= w;
	}
	say("fill", 1);
}

/* read PATH: all of it */
static void mode_read(char **arg)
{
	static char b[64 * KIB];
	int fd = open(arg[0], O_RDONLY);
	ssize_t n;
	while ((n = read(fd, b, sizeof b)) > 0)
		;
	say("read", n == 0);
}

/* sparse FILE: a page in each 128 KiB, and nothing ahead */
static void mode_sparse(char **arg)
{
	int fd = open(arg[0], O_RDONLY);
	char page[4 * KIB];
	ssize_t n = posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0 ? 1 : -1;
	for (off_t at = 0; n > 0; at += 128 * KIB)
		n = pread(fd, page, sizeof page, at);
	say("sparse", n == 0);
}

/* hold COUNT: that many children, for good */
static void mode_hold(char **arg)
{
	for (int i = 0; i < atoi(arg[0]); i++) {
		pid_t pid = fork();
		if (pid < 0)
			say("hold", 0);
		if (pid == 0)
			for (;;)
				pause();
	}
	printf("hold: OK\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* inodes DIRECTORY COUNT: that many files */
static void mode_inodes(char **arg)
{
	for (int i = 0; i < atoi(arg[1]); i++) {
		char name[64];
		snprintf(name, sizeof name, "%s/%d", arg[0], i);
		int fd = open(name, O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			say("inodes", 0);
		close(fd);
	}
	say("inodes", 1);
}

/* stack BYTES: uses that much of it, from the top, where the kernel put the program's name */
static void mode_stack(char **arg)
{
	volatile char *top = (char *)getauxval(AT_EXECFN), *here = __builtin_frame_address(0);
	for (; top - here < atol(arg[0]); here -= 4 * KIB)
		*here = 1;
	top[-atol(arg[0])] = 1;
	say("stack", 1);
}

/* burn MILLISECONDS PROCESSES: each uses that much CPU time */
static void mode_burn(char **arg)
{
	struct timespec t = {0};
	int children = atoi(arg[1]) - 1;
	for (int i = 0; i < children; i++)
		if (fork() == 0) {
			children = 0;
			break;
		}
	while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < atol(arg[0]))
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	while (children > 0 && wait(NULL) > 0)
		;
	_exit(0);
}

static const struct mode {
	const char *name;
	int args;
	void (*run)(char **);
} modes[] = {
	{"take", 2, mode_take}, {"forked", 2, mode_forked}, {"outlive", 2, mode_outlive}, {"adjust", 1, mode_adjust}, {"open", 1, mode_open},
	{"fill", 2, mode_fill}, {"read", 1, mode_read}, {"sparse", 1, mode_sparse}, {"hold", 1, mode_hold}, {"inodes", 2, mode_inodes}, {"stack", 1, mode_stack}, {"burn", 2, mode_burn},
};

int limits(int argc, char **argv)
{
	for (unsigned i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(argv[1], modes[i].name) == 0 && argc - 2 >= modes[i].args) {
			modes[i].run(argv + 2);
			return 0;
		}
	fprintf(stderr, "no mode %s\n", argc > 1 ? argv[1] : "");
	return 99;
}
