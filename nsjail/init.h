/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol between the daemon and sandbox-init, and the list of what sandbox-init can do.
 *
 * Both ends hold one SOCK_SEQPACKET socket. A packet to sandbox-init is a list of ops; it obeys them in order. Four ops
 * are stops: they must stand last in their packet, report, and then wait for the next packet.
 *
 *   WAIT  -> READY [+ directory]     the ops before it are done; the directory is that of OP_OPEN, once
 *   SPAWN -> SPAWNED(pid) + pidfd    a child was cloned; it waits on the socket that came with SPAWN
 *   EXEC  -> STARTED, EXITED(...)    the program was executed; it and all its descendants are gone. The filter's
 *                                    listener comes with STARTED, if SECCOMP asked for one
 *         or STARTED, PAUSED(...)    the program, which may, has stopped itself (SIGSTOP)
 *   CONTINUE -> as EXEC              that program goes on, with the resource limits of this packet
 *
 * An op that fails -> FAILED(index in its packet, stage, errno); then sandbox-init exits, except after EXEC and CONTINUE, when
 * it waits. End of file on the socket, a malformed packet or a packet without a stop: sandbox-init exits, and the kernel
 * kills its pid namespace.
 *
 * All numbers are in host byte order: both ends are one binary. Go reads these constants through cgo.
 */
#ifndef SANDBOX_INIT_H
#define SANDBOX_INIT_H

#include <stdint.h>

enum {
	PACKET_MAX = 160 * 1024, /* bytes; below the default net.core.wmem_max of 208 KiB */
	PACKET_FDS = 4,
	RLIMITS_MAX = 16,
	STRINGS_MAX = 1024, /* argv and envp entries, the closing NULL included */
	CONTROL_FD = 3,
};

/* Strings stand one after the other in op.data, each closed by NUL; the arguments are op.arg[0], [1], ... */
enum op_code {
	/* stops */
	OP_WAIT = 1,
	OP_SPAWN, /* clone flags, 1 if a cgroup descriptor follows; "uid_map" "gid_map", neither without a user namespace; fds: control, cgroup */
	OP_EXEC,  /* uid, gid, umask, 1 if it may stop itself; "cwd"; fds: stdin, stdout, stderr */
	OP_CONTINUE, /* 1 if it may stop itself again */

	/* identity and namespaces */
	OP_UNSHARE,       /* flags */
	OP_SET_IDS,       /* uid, gid */
	OP_DEATH_SIGNAL,  /* signal */
	OP_NOT_DUMPABLE,  /* */
	OP_KEYRING,       /* a new session keyring */
	OP_UNINHERIT,     /* 1 if a low priority may stay; session, priority, scheduler, I/O priority, timer slack, personality: as after boot */
	OP_CORE_COOKIE,   /* a core-scheduling cookie of its own */
	OP_SUBREAPER,     /* descendants whose parent ends become its children */
	OP_SHARED,        /* keeper uid, program uid, gid: no pid namespace of its own; see struct shared in init.c */
	OP_PROC_WRITE,    /* 1 if it may be absent; "path" "text" */
	OP_HOSTNAME,      /* "name" */
	OP_LOOPBACK,      /* the network namespace's loopback comes up */

	/* the tree; targets are resolved beneath the base without following any symbolic link */
	OP_PRIVATE, /* mount propagation of everything below the base */
	OP_BASE,    /* "path": targets are beneath it from now on */
	OP_MKDIR,   /* mode, uid, gid, 1 if it may exist; "target" */
	OP_MKNOD,   /* mode, device; "target" */
	OP_SYMLINK, /* "target" "content" */
	OP_MOUNT,   /* MOUNT_ATTR_*; "fstype" "target" "option" "value" ... */
	OP_BIND,    /* MOUNT_ATTR_* to add, 1 for what is mounted below too; "source", "" is the target itself; "target" */
	OP_MASK,    /* "target": /dev/null over a file, /empty over a directory; may be absent */
	OP_PIVOT,   /* the base becomes / and the old root is detached */
	OP_OPEN,    /* "target", a directory: the next READY carries its descriptor */

	/* files, and operands of the next EXEC */
	OP_FILE,    /* mode, uid, gid, bytes; "target", data */
	OP_DATA,    /* bytes; data: more for the last file */
	OP_SOURCE,  /* the packet's last descriptor, a directory, is what OP_COPY copies from until the next EXEC or CONTINUE */
	OP_COPY,    /* mode, uid, gid, bytes; "target" "source": a file with the bytes of one beneath that directory */
	OP_RLIMIT,  /* resource, soft, hard */
	OP_ARGS,    /* count; "argv[0]" ... */
	OP_ENV,     /* count; "NAME=value" ... */
	OP_SECCOMP, /* bytes, flags of seccomp(2); struct sock_filter[] */
	OP_LANDLOCK, /* handled access to files, to networks, scopes, flags of landlock_restrict_self(2): a new ruleset for every EXEC */
	OP_PERMIT,   /* access to files; "target": a rule of that ruleset for what is beneath */
	OP_PERMIT_SELF, /* access to files: a rule of that ruleset for sandbox-init's own executable */
};

struct op {
	uint32_t code;
	uint32_t size; /* of the whole op, header and padding included; a multiple of 8 */
	uint64_t arg[4];
	char data[];
};

enum reply_code {
	REPLY_READY = 1,
	REPLY_SPAWNED, /* pid */
	REPLY_STARTED, /* CLOCK_MONOTONIC ns, user us and system us of sandbox-init itself */
	REPLY_EXITED,  /* wait status, CLOCK_MONOTONIC ns, user us, system us, peak RSS KiB; after OP_SHARED us of all that was reaped */
	REPLY_PAUSED,  /* 0, CLOCK_MONOTONIC ns */
	REPLY_FAILED,  /* op index, stage, errno */
};

struct reply {
	uint64_t code;
	uint64_t arg[5];
};

/* Which part of EXEC or CONTINUE failed. */
enum exec_stage {
	STAGE_FORK = 1,
	STAGE_SETSID,
	STAGE_STDIO,
	STAGE_CLOSE_RANGE,
	STAGE_RLIMIT,
	STAGE_CAPABILITIES,
	STAGE_IDS,
	STAGE_CWD,
	STAGE_NO_NEW_PRIVS,
	STAGE_LANDLOCK,
	STAGE_SECCOMP,
	STAGE_EXECVE,
	STAGE_CONTINUE,
};

#endif
