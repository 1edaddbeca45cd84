/* SPDX-License-Identifier: Apache-2.0 */
/* The disk, the page cache, names, locks on files, mounts, /proc and /sys. */
#define _GNU_SOURCE
#include "abuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x80 /* Linux 6.14 */
#endif

enum { MIB = 1 << 20, DISK = 16 }; /* MiB of the file */
static int disk = -1;
static char *buffer;

static int open_disk(int flags)
{
	buffer = aligned_alloc(4096, MIB);
	return buffer ? disk = shared_disk(flags) : -1;
}

static int open_cached(void) { return open_disk(0); }
static int open_direct(void) { return open_disk(O_DIRECT); }

static int set_direct(void)
{
	if (open_disk(0) < 0)
		return -1;
	return fcntl(disk, F_SETFL, O_DIRECT);
}

static int read_disk(void) { return pread(disk, buffer, MIB, (off_t)shared_random(DISK) * MIB) < 0 ? -1 : 0; }

static int read_uncached(void)
{
	struct iovec v = {buffer, MIB};
	return preadv2(disk, &v, 1, (off_t)shared_random(DISK) * MIB, RWF_DONTCACHE) < 0 ? -1 : 0;
}

static int drop_and_read(void)
{
	int error = posix_fadvise(disk, 0, 0, POSIX_FADV_DONTNEED);
	if (error) {
		errno = error;
		return -1;
	}
	return read_disk();
}

static int page_out(void)
{
	static char *m;
	if (!m && (m = mmap(NULL, DISK * MIB, PROT_READ, MAP_SHARED, disk, 0)) == MAP_FAILED)
		return -1;
	char sum = 0;
	for (int i = 0; i < DISK * MIB; i += 4096)
		sum += m[i];
	buffer[0] = sum;
	return madvise(m, DISK * MIB, 21 /* MADV_PAGEOUT */);
}

static int flush(void) { return fsync(disk); }
static int flush_data(void) { return fdatasync(disk); }

static int flush_map(void)
{
	static char *m;
	if (!m && (m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, disk, 0)) == MAP_FAILED)
		return -1;
	return msync(m, 4096, MS_SYNC);
}

static int flush_range(void) { return sync_file_range(disk, 0, 4096, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER); }
static int flush_all(void) { return (int)syscall(SYS_syncfs, disk); }

/* Each lock is memory that no cgroup is charged for, in a list that is walked for the next. */
static int lock_bytes(void)
{
	static off_t at;
	struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
	at = (at + 2) % (1 << 20);
	return fcntl(disk, F_SETLK, &l);
}

/* ---- names ---- */

static int make_dirs(void) { return mkdir("/workspace/a", 0700) < 0 || mkdir("/workspace/b", 0700) < 0 ? -1 : 0; }

/* Each rename between directories writes rename_lock, which all who look for a path read. */
static int move(void)
{
	char a[64], b[64];
	snprintf(a, sizeof a, "/workspace/a/%d", getpid());
	snprintf(b, sizeof b, "/workspace/b/%d", getpid());
	int fd = open(a, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	for (int i = 0; i < 50; i++)
		if (rename(a, b) < 0 || rename(b, a) < 0)
			return -1;
	return unlink(a);
}

static int miss(void)
{
	char name[64];
	struct stat st;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "/%d.%u", getpid(), shared_random(1u << 31));
		stat(name, &st);
	}
	return 0;
}

static int make_files(void)
{
	char name[64];
	snprintf(name, sizeof name, "/workspace/%d", getpid());
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return unlink(name);
}

static int list(void)
{
	DIR *d = opendir("/proc");
	if (!d)
		return -1;
	while (readdir(d))
		;
	return closedir(d);
}

/* ---- what the kernel writes when it is read ---- */

static int read_all(const char *const names[])
{
	static char text[1 << 16];
	int some = -1;
	for (; *names; names++) {
		int fd = open(*names, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		while (read(fd, text, sizeof text) > 0)
			some = 0;
		close(fd);
	}
	return some;
}

static int read_mounts(void) { return read_all((const char *const[]){"/proc/self/mountinfo", "/proc/self/mounts", "/proc/self/mountstats", NULL}); }

static int read_proc(void)
{
	return read_all((const char *const[]){"/proc/stat", "/proc/interrupts", "/proc/softirqs", "/proc/meminfo", "/proc/vmstat", "/proc/zoneinfo",
		"/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/schedstat", "/proc/loadavg", "/proc/diskstats",
		"/proc/cgroups", "/proc/locks", "/proc/timer_list", "/proc/modules", "/proc/swaps", "/proc/partitions", "/proc/crypto",
		"/proc/sysvipc/shm", "/proc/sys/fs/file-nr", "/proc/sys/fs/dentry-state", NULL});
}

static int read_self(void) { return read_all((const char *const[]){"/proc/self/smaps", "/proc/self/stat", "/proc/self/status", "/proc/self/wchan", NULL}); }

static int read_net(void)
{
	return read_all((const char *const[]){"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/unix", "/proc/net/netlink", "/proc/net/sockstat",
		"/proc/net/snmp", "/proc/net/netstat", "/proc/net/route", "/proc/net/dev", "/proc/net/ptype", "/proc/net/protocols", "/proc/net/fib_trie", NULL});
}

/* Each read gathers the counters of all CPUs, under one lock. */
static int read_cgroup(void)
{
	static const char *const names[] = {"cpu.stat", "memory.stat", "memory.numa_stat", "memory.current", "io.stat", "memory.pressure", "cpu.pressure",
		"cpuacct.usage_all", "memory.usage_in_bytes", NULL};
	static const char *const dirs[] = {"", "/memory", "/cpu", "/cpuacct", "/cpu,cpuacct", "/pids", "/unified", NULL};
	static char paths[64][64];
	static const char *list[65];
	if (!list[0]) {
		int n = 0;
		for (const char *const *d = dirs; *d; d++)
			for (const char *const *f = names; *f; f++) {
				snprintf(paths[n], sizeof paths[n], "/sys/fs/cgroup%s/%s", *d, *f);
				list[n] = paths[n];
				n++;
			}
	}
	return read_all(list);
}

static int ask_size(void)
{
	struct statfs s;
	return statfs("/", &s) < 0 || statfs("/workspace", &s) < 0 ? -1 : 0;
}

const struct abuse file_abuses[] = {
	{"direct reads", open_direct, read_disk},
	{"direct reads by F_SETFL", set_direct, read_disk},
	{"uncached reads", open_cached, read_uncached},
	{"dropped cache", open_cached, drop_and_read},
	{"paged out cache", open_cached, page_out},
	{"fsync", open_cached, flush},
	{"fdatasync", open_cached, flush_data},
	{"msync", open_cached, flush_map},
	{"sync_file_range", open_cached, flush_range},
	{"syncfs", open_cached, flush_all},
	{"byte-range locks", open_cached, lock_bytes},
	{"renames", make_dirs, move},
	{"names that are not there", NULL, miss},
	{"files made and removed", NULL, make_files},
	{"lists of /proc", NULL, list},
	{"mounts read", NULL, read_mounts},
	{"proc read", NULL, read_proc},
	{"proc of a process read", NULL, read_self},
	{"proc of the network read", NULL, read_net},
	{"cgroup read", NULL, read_cgroup},
	{"statfs", NULL, ask_size},
	{NULL, NULL, NULL},
};
