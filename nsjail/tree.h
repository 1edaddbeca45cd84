/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of sandbox-init share: how an op is read, the ops on the tree that tree.c has, and that of network.c. Each
 * returns -1 with errno when it fails.
 */
#ifndef SANDBOX_TREE_H
#define SANDBOX_TREE_H

#include "init.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Descriptors that live from one op to the next, or -1. */
extern struct tree {
	int base;                /* O_PATH: where targets are resolved */
	int file;                /* the last OP_FILE or OP_COPY */
	int source;              /* OP_SOURCE */
	int dev_null, empty_dir; /* what OP_MASK binds, once opened */
	int opened;              /* OP_OPEN, until READY has carried it */
	int landlock;            /* the ruleset of OP_LANDLOCK */
	unsigned landlock_flags; /* for landlock_restrict_self(2) */
} tree;

static inline size_t data_size(const struct op *op) { return op->size - sizeof *op; }

/* The string of that number, or "" where the op has fewer. */
static inline char *string(struct op *op, unsigned number)
{
	char *s = op->data, *end = op->data + data_size(op);
	for (; number > 0 && s < end; number--) {
		char *nul = memchr(s, 0, (size_t)(end - s));
		s = nul ? nul + 1 : end;
	}
	static char empty[1];
	return s < end && memchr(s, 0, (size_t)(end - s)) ? s : empty;
}

/* Points list at count strings of op and closes it with NULL. */
static inline int strings(struct op *op, char **list)
{
	uint64_t count = op->arg[0];
	if (count >= STRINGS_MAX)
		return errno = E2BIG, -1;
	char *s = op->data, *end = op->data + data_size(op);
	for (uint64_t i = 0; i < count; i++) {
		char *nul = s < end ? memchr(s, 0, (size_t)(end - s)) : NULL;
		if (!nul)
			return errno = EINVAL, -1;
		list[i] = s;
		s = nul + 1;
	}
	list[count] = NULL;
	return 0;
}

/* Closes fd and passes result on with its errno. */
static inline int closing(int fd, int result)
{
	int e = errno;
	close(fd);
	errno = e;
	return result;
}

int beneath(const char *path, uint64_t flags);
int set_base(const char *path);
int set_attributes(int fd, unsigned at_flags, uint64_t set, uint64_t propagation);
int make_dir(struct op *op);
int make_node(struct op *op);
int make_symlink(struct op *op);
int do_mount(struct op *op);
int do_bind(struct op *op);
int do_mask(struct op *op);
int do_pivot(void);
int open_directory(struct op *op);
int make_file(struct op *op);
int more_data(struct op *op);
int copy_file(struct op *op);
int make_ruleset(struct op *op);
int permit(struct op *op, int fd);

int loopback_up(void);

#endif
