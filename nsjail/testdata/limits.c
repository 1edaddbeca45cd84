/* prog take FORM BYTES [hold]: takes memory in one form after the other until it has as much as was asked for. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
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

/* A hundred locks a file: the kernel walks all of a file's. */
static long take_lock(void)
{
	static int fd = -1;
	static long at;
	if (at % 100 == 0) {
		char name[64];
		snprintf(name, sizeof name, "/workspace/%ld", at);
		if ((fd = open(name, O_CREAT | O_RDWR, 0600)) < 0)
			return -1;
	}
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2 * at++, .l_len = 1};
	return fcntl(fd, F_SETLK, &l) < 0 ? -1 : 128;
}

static long attribute(const char *name, const void *value, size_t size)
{
	static int i;
	char path[64];
	snprintf(path, sizeof path, "/workspace/%d", i++);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		return -1;
	int r = fsetxattr(fd, name, value, size, 0);
	close(fd);
	return r < 0 ? -1 : (long)size;
}

static long take_xattr(void)
{
	static char value[32 * KIB];
	return attribute("user.x", value, sizeof value);
}

static long take_acl(void)
{
	enum { N = 8000 };
	static struct {
		unsigned version;
		struct { unsigned short tag, perm; unsigned id; } e[N];
	} a = {.version = 2};
	for (int i = 0; i < N; i++)
		a.e[i].tag = 2, a.e[i].perm = 4, a.e[i].id = 1000;
	a.e[0].tag = 1, a.e[0].id = -1;
	a.e[N - 3].tag = 4, a.e[N - 3].id = -1;
	a.e[N - 2].tag = 16, a.e[N - 2].id = -1;
	a.e[N - 1].tag = 32, a.e[N - 1].id = -1;
	return attribute("system.posix_acl_access", &a, sizeof a);
}

static const struct form {
	const char *name;
	long (*take)(void);
} forms[] = {
	{"anon", take_anon}, {"shared", take_shared}, {"workspace", take_workspace}, {"tmp", take_tmp}, {"shm", take_shm},
	{"memfd", take_memfd}, {"pipe", take_pipe}, {"socket", take_socket}, {"eventfd", take_eventfd},
	{"timerfd", take_timerfd}, {"epoll", take_epoll}, {"open", take_open}, {"inode", take_inode}, {"sysv", take_sysv},
	{"mqueue", take_mqueue}, {"thread", take_thread}, {"pagetable", take_pagetable}, {"vma", take_vma},
	{"lock", take_lock}, {"xattr", take_xattr}, {"acl", take_acl},
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

int limits(int argc, char **argv)
{
	for (unsigned i = 0; argc > 3 && strcmp(argv[1], "take") == 0 && i < sizeof forms / sizeof forms[0]; i++)
		if (strcmp(argv[2], forms[i].name) == 0)
			take(&forms[i], atol(argv[3]), argc > 4);
	fprintf(stderr, "no mode %s\n", argc > 1 ? argv[1] : "");
	return 99;
}
