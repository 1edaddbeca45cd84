/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ops of sandbox-init that make the sandbox's tree: directories, devices, mounts, the pivot, files, and the Landlock rules
 * for what is beneath them. All targets are resolved beneath the base, without symbolic links.
 */
#define _GNU_SOURCE
#include "tree.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* <sys/mount.h> clashes with the kernel's header above on some libcs. */
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif

struct tree tree = {-1, -1, -1, -1, -1, -1, -1, 0};

int beneath(const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	return (int)syscall(SYS_openat2, tree.base, path[0] ? path : ".", &how, sizeof how);
}

/* Splits path at its last slash and opens the directory; *leaf is what follows. */
static int parent_of(char *path, char **leaf)
{
	char *slash = strrchr(path, '/');
	if (!slash) {
		*leaf = path;
		return beneath(".", O_PATH | O_DIRECTORY);
	}
	*leaf = slash + 1;
	*slash = 0;
	int fd = beneath(path, O_PATH | O_DIRECTORY);
	*slash = '/';
	return fd;
}

int set_attributes(int fd, unsigned at_flags, uint64_t set, uint64_t propagation)
{
	struct mount_attr a = {.attr_set = set, .propagation = propagation};
	return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | at_flags, &a, sizeof a);
}

static int move_to(int mount, int target)
{
	return (int)syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int make_dir(struct op *op)
{
	char *leaf;
	int dir = parent_of(string(op, 0), &leaf);
	if (dir < 0)
		return -1;
	if (mkdirat(dir, leaf, (mode_t)op->arg[0]) < 0)
		return closing(dir, errno == EEXIST && op->arg[3] ? 0 : -1);
	return closing(dir, fchownat(dir, leaf, (uid_t)op->arg[1], (gid_t)op->arg[2], AT_SYMLINK_NOFOLLOW));
}

int make_node(struct op *op)
{
	char *leaf;
	int dir = parent_of(string(op, 0), &leaf);
	if (dir < 0)
		return -1;
	return closing(dir, mknodat(dir, leaf, (mode_t)op->arg[0], (dev_t)op->arg[1]));
}

int make_symlink(struct op *op)
{
	char *leaf;
	int dir = parent_of(string(op, 0), &leaf);
	if (dir < 0)
		return -1;
	return closing(dir, symlinkat(string(op, 1), dir, leaf));
}

int do_mount(struct op *op)
{
	int fs = (int)syscall(SYS_fsopen, string(op, 0), FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	for (unsigned i = 2; string(op, i)[0]; i += 2)
		if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, string(op, i), string(op, i + 1), 0) < 0)
			return closing(fs, -1);
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return closing(fs, -1);
	int mount = closing(fs, (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)op->arg[0]));
	if (mount < 0)
		return -1;
	int target = beneath(string(op, 1), O_PATH);
	if (target < 0)
		return closing(mount, -1);
	return closing(mount, closing(target, move_to(mount, target)));
}

/* Clones the mount at source, with those below it if recursive, and puts it on target; attributes are added to those that it has. */
static int bind_fd(int source, int target, uint64_t attributes, int recursive)
{
	int copy = (int)syscall(SYS_open_tree, source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
	if (copy < 0)
		return -1;
	if (attributes && set_attributes(copy, 0, attributes, 0) < 0)
		return closing(copy, -1);
	return closing(copy, move_to(copy, target));
}

int do_bind(struct op *op)
{
	char *from = string(op, 0);
	int target = beneath(string(op, 1), O_PATH);
	if (target < 0)
		return -1;
	int source = from[0] ? open(from, O_PATH | O_CLOEXEC) : target;
	if (source < 0)
		return closing(target, -1);
	int r = bind_fd(source, target, op->arg[0], op->arg[1] == 1);
	if (source != target)
		r = closing(source, r);
	return closing(target, r);
}

/* The spawner's /dev/null and /empty are on read-only mounts, so their clones need no attributes. */
int do_mask(struct op *op)
{
	struct stat st;
	int target = beneath(string(op, 0), O_PATH);
	if (target < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(target, &st) < 0)
		return closing(target, -1);
	int *source = S_ISDIR(st.st_mode) ? &tree.empty_dir : &tree.dev_null;
	if (*source < 0)
		*source = open(source == &tree.dev_null ? "/dev/null" : "/empty", O_PATH | O_CLOEXEC);
	if (*source < 0)
		return closing(target, -1);
	return closing(target, bind_fd(*source, target, 0, 0));
}

int set_base(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (tree.base >= 0)
		close(tree.base);
	tree.base = fd;
	return 0;
}

/* pivot_root(".", ".") stacks the old root on the new one; see pivot_root(2). */
int do_pivot(void)
{
	char cwd[4];
	if (fchdir(tree.base) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || syscall(SYS_umount2, ".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -1;
	/* A directory outside the root reads "(unreachable)...": CVE-2024-21626. */
	if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0 || strcmp(cwd, "/") != 0)
		return errno = EXDEV, -1;
	if (tree.dev_null >= 0)
		close(tree.dev_null); /* of the old tree */
	if (tree.empty_dir >= 0)
		close(tree.empty_dir);
	tree.dev_null = tree.empty_dir = -1;
	return set_base("/");
}

/* The daemon reads through it when all that runs in here is gone, sandbox-init perhaps too: an open directory keeps its mount. */
int open_directory(struct op *op)
{
	if (tree.opened >= 0)
		close(tree.opened);
	tree.opened = beneath(string(op, 0), O_RDONLY | O_DIRECTORY);
	return tree.opened < 0 ? -1 : 0;
}

/* ---- files ---- */

static int write_all(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(tree.file, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Makes the file that op names, with its mode and owner, and has it open for writing as tree.file. */
static int create(struct op *op)
{
	char *leaf;
	int dir = parent_of(string(op, 0), &leaf);
	if (dir < 0)
		return -1;
	if (tree.file >= 0)
		close(tree.file);
	tree.file = closing(dir, openat(dir, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)op->arg[0]));
	return tree.file < 0 ? -1 : fchown(tree.file, (uid_t)op->arg[1], (gid_t)op->arg[2]);
}

int make_file(struct op *op)
{
	size_t skip = strlen(string(op, 0)) + 1, have = data_size(op);
	if (skip > have || op->arg[3] > have - skip)
		return errno = EINVAL, -1;
	if (create(op) < 0)
		return -1;
	return write_all(op->data + skip, (size_t)op->arg[3]);
}

int more_data(struct op *op)
{
	if (op->arg[0] > data_size(op) || tree.file < 0)
		return errno = EINVAL, -1;
	return write_all(op->data, (size_t)op->arg[0]);
}

/*
 * Copies a file from beneath tree.source, which an untrusted program has filled and nobody changes any more. Neither its bytes nor its
 * owner go through the daemon, and its memory is charged to this sandbox.
 */
int copy_file(struct op *op)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int from = (int)syscall(SYS_openat2, tree.source, string(op, 1), &how, sizeof how);
	if (from < 0)
		return -1;
	if (create(op) < 0)
		return closing(from, -1);
	for (uint64_t left = op->arg[3]; left > 0;) {
		ssize_t n = sendfile(tree.file, from, NULL, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* it is shorter than the op says */
		if (n <= 0)
			return closing(from, -1);
		left -= (uint64_t)n;
	}
	return closing(from, 0);
}

/* ---- Landlock ---- */

int make_ruleset(struct op *op)
{
	/* As much of struct landlock_ruleset_attr as the kernel knows: what it doesn't know must be 0, and is. */
	uint64_t attr[3] = {op->arg[0], op->arg[1], op->arg[2]};
	size_t size = attr[2] ? sizeof attr : attr[1] ? 2 * sizeof *attr : sizeof *attr;
	tree.landlock_flags = (unsigned)op->arg[3];
	tree.landlock = (int)syscall(SYS_landlock_create_ruleset, attr, size, 0);
	return tree.landlock;
}

/* Permits access to what is beneath fd, which it closes. */
int permit(struct op *op, int fd)
{
	struct landlock_path_beneath_attr a = {.allowed_access = op->arg[0], .parent_fd = fd};
	if (fd < 0)
		return -1;
	return closing(fd, (int)syscall(SYS_landlock_add_rule, tree.landlock, LANDLOCK_RULE_PATH_BENEATH, &a, 0));
}
