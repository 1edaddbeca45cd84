/* Locks on files, which no cgroup is charged for: modes of prog. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PER_FILE = 512 }; /* the kernel's time for one more grows with how many a file has */

static void say(const char *what, int ok)
{
	printf("%s: %s\n", what, ok ? "OK" : strerror(errno));
	fflush(stdout);
	if (!ok)
		_exit(5);
}

/* Every second byte, or neighbours would become one. */
static void lock_byte(int fd, long i, short type, int command)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = 2 * i, .l_len = 1};
	if (fcntl(fd, command, &l) < 0)
		say("lock", 0);
}

static void lock_many(long count)
{
	int fd = -1;
	for (long i = 0; i < count; i++) {
		if (i % PER_FILE == 0) {
			char name[64];
			snprintf(name, sizeof name, "/workspace/%d.%ld", getpid(), i);
			if ((fd = open(name, O_CREAT | O_RDWR, 0600)) < 0)
				say("open", 0);
			unlink(name);
		}
		lock_byte(fd, i % PER_FILE, F_WRLCK, F_SETLK);
	}
}

/* One an open file, so many processes. */
static void flock_many(long count)
{
	enum { EACH = 4000 };
	for (; count > 0; count -= EACH) {
		pid_t pid = fork();
		if (pid < 0)
			say("fork", 0);
		if (pid > 0)
			continue;
		char name[64]; /* of its own: the kernel's time grows with how many a file has */
		snprintf(name, sizeof name, "/workspace/%d", getpid());
		for (int i = 0; i < EACH; i++) {
			int fd = open(name, O_CREAT | O_RDONLY, 0600);
			if (fd < 0 || flock(fd, LOCK_SH) < 0)
				say("flock", 0);
		}
		for (;;)
			pause();
	}
}

static char stack[64 << 10] __attribute__((aligned(16)));

static int locker(void *count)
{
	lock_many(*(long *)count);
	return 0;
}

static pthread_t first;

static void *outlive(void *count)
{
	pthread_join(first, NULL);
	lock_many(*(long *)count);
	say("locks", 1);
	for (;;)
		pause();
	return NULL;
}

/* locks HOW COUNT: holds that many, whoever is to be asked about them */
static int mode_locks(const char *how, long count)
{
	pthread_t t;
	if (strcmp(how, "plain") == 0) {
		lock_many(count);
	} else if (strcmp(how, "flock") == 0) {
		flock_many(count);
	} else if (strcmp(how, "dead") == 0) { /* in a table that outlives the process that took them */
		pid_t pid = clone(locker, stack + sizeof stack, CLONE_FILES | CLONE_VM | CLONE_VFORK | SIGCHLD, &count);
		int status;
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
			say("clone", 0);
	} else if (strcmp(how, "thread") == 0) { /* the first thread ends, and with it what /proc/PID tells of descriptors */
		first = pthread_self();
		if (pthread_create(&t, NULL, outlive, &count))
			say("thread", 0);
		pthread_exit(NULL);
	}
	say("locks", 1);
	for (;;)
		pause();
}

/* relock COUNT: takes a lock and gives it back, as a database does for each transaction */
static int mode_relock(long count)
{
	int fd = open("/workspace/db", O_CREAT | O_RDWR, 0600);
	if (fd < 0)
		fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	for (long i = 0; i < count; i++) {
		lock_byte(fd, 1, F_WRLCK, F_SETLKW);
		lock_byte(fd, 1, F_UNLCK, F_SETLK);
	}
	return 0;
}

int locks(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], "locks") == 0)
		return mode_locks(argv[2], atol(argv[3]));
	if (argc > 2 && strcmp(argv[1], "relock") == 0)
		return mode_relock(atol(argv[2]));
	return -1;
}
