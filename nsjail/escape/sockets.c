/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of every family but those of network.c, and where the ones that can be made lead. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket of the family arg[0], whatever its type and protocol: up to arg[1]. */
static void any_socket(const struct probe *p)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM, SOCK_DCCP, SOCK_PACKET};
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
		for (int protocol = 0; protocol <= p->arg[1]; protocol++) {
			if (socket((int)p->arg[0], types[i] | SOCK_CLOEXEC, protocol) >= 0)
				escaped(p, "a socket of type %d, protocol %d", types[i], protocol);
			/* These two say that there is no such type or protocol: the family is there. */
			if (errno != ESOCKTNOSUPPORT && errno != EPROTONOSUPPORT)
				refused(p, errno);
		}
	refused(p, errno);
}

static void typed_socket(const struct probe *p) { must_fail(p, socket((int)p->arg[0], (int)p->arg[1], (int)p->arg[2])); }

static void pair(const struct probe *p)
{
	int fds[2];
	must_fail(p, socketpair((int)p->arg[0], SOCK_STREAM, 0, fds));
}

static void unix_path(const struct probe *p)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	strncpy(to.sun_path, (const char *)p->arg[0], sizeof to.sun_path - 1);
	int fd = socket(AF_UNIX, (int)p->arg[1] | SOCK_CLOEXEC, 0);
	must_fail(p, fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof to));
}

static void abstract_name(const struct probe *p)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	strncpy(to.sun_path + 1, (const char *)p->arg[0], sizeof to.sun_path - 2);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen((const char *)p->arg[0]));
	must_fail(p, fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, n));
}

/* Names of sockets of outside that the list shows. */
static void unix_names(const struct probe *p)
{
	static char text[65536];
	if (read_file("/proc/self/net/unix", text, sizeof text) < 0)
		refused(p, errno);
	int count = 0;
	for (char *s = strchr(text, '\n'); s && s[1]; s = strchr(s + 1, '\n'))
		count++;
	if (count > 16 || strstr(text, " @") || strstr(text, " /"))
		escaped(p, "it lists %d sockets", count);
	held(p, "%d, none with a name", count);
}

/* Tells a peer that it is another process of another user. */
static void forge(const struct probe *p)
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0)
		refused(p, errno);
	struct iovec iov = {"x", 1};
	struct ucred who = {.pid = p->arg[0] ? (pid_t)p->arg[0] : getpid(), .uid = (uid_t)p->arg[1], .gid = getgid()};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof who)];
	} c;
	memset(&c, 0, sizeof c);
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
	c.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof who), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
	memcpy(CMSG_DATA(&c.header), &who, sizeof who);
	must_fail(p, sendmsg(fds[0], &m, 0));
}

static void option(const struct probe *p)
{
	int fds[2], value = 1 << 24;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0)
		refused(p, errno);
	if (p->arg[0] != SO_ATTACH_FILTER)
		must_fail(p, setsockopt(fds[0], SOL_SOCKET, (int)p->arg[0], &value, sizeof value));
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
	struct sock_fprog program = {1, all};
	must_fail(p, setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

#define NO_FAMILY REFUSED " EAFNOSUPPORT"
#define FAMILY(name, number, flags) {"sockets", name, POLICY | (flags), NO_FAMILY, any_socket, 0, {number, 0}}
#define HOST(path, type) {"sockets", path, 0, NO_PATH " EAFNOSUPPORT", unix_path, 0, {PTR(path), type}}

const struct probe socket_probes[] = {
	FAMILY("AF_UNSPEC", 0, 0), FAMILY("AF_AX25", 3, 0), FAMILY("AF_IPX", 4, 0),
	FAMILY("AF_APPLETALK", 5, 0), FAMILY("AF_NETROM", 6, 0), FAMILY("AF_BRIDGE", 7, 0), FAMILY("AF_ATMPVC", 8, 0),
	FAMILY("AF_X25", 9, 0), FAMILY("AF_ROSE", 11, 0), FAMILY("AF_DECnet", 12, 0),
	FAMILY("AF_NETBEUI", 13, 0), FAMILY("AF_SECURITY", 14, 0), FAMILY("AF_KEY", 15, 0),
	FAMILY("AF_PACKET", 17, FAST), FAMILY("AF_ASH", 18, 0), FAMILY("AF_ECONET", 19, 0), FAMILY("AF_ATMSVC", 20, 0),
	FAMILY("AF_RDS", 21, 0), FAMILY("AF_SNA", 22, 0), FAMILY("AF_IRDA", 23, 0), FAMILY("AF_PPPOX", 24, 0),
	FAMILY("AF_WANPIPE", 25, 0), FAMILY("AF_LLC", 26, 0), FAMILY("AF_IB", 27, 0), FAMILY("AF_MPLS", 28, 0),
	FAMILY("AF_CAN", 29, 0), FAMILY("AF_TIPC", 30, 0), FAMILY("AF_BLUETOOTH", 31, 0), FAMILY("AF_IUCV", 32, 0),
	FAMILY("AF_RXRPC", 33, 0), FAMILY("AF_ISDN", 34, 0), FAMILY("AF_PHONET", 35, 0), FAMILY("AF_IEEE802154", 36, 0),
	FAMILY("AF_CAIF", 37, 0), FAMILY("AF_ALG", 38, FAST), FAMILY("AF_NFC", 39, 0), FAMILY("AF_VSOCK", 40, FAST),
	FAMILY("AF_KCM", 41, 0), FAMILY("AF_QIPCRTR", 42, 0), FAMILY("AF_SMC", 43, 0), FAMILY("AF_XDP", 44, 0),
	FAMILY("AF_MCTP", 45, 0), FAMILY("a family of tomorrow", 46, 0),
	{"sockets", "a pair of AF_INET", POLICY, NO_FAMILY " EOPNOTSUPP", pair, 0, {AF_INET}},
	{"sockets", "a pair of AF_TIPC", POLICY, NO_FAMILY, pair, 0, {AF_TIPC}},
	{"sockets", "packets as they are", 0, NO_FAMILY, typed_socket, 0, {AF_PACKET, SOCK_RAW, 0x300}},

	HOST("/run/ccee/daemon.sock", SOCK_STREAM),
	HOST("/var/run/docker.sock", SOCK_STREAM),
	HOST("/run/containerd/containerd.sock", SOCK_STREAM),
	HOST("/run/systemd/private", SOCK_STREAM),
	HOST("/run/dbus/system_bus_socket", SOCK_STREAM),
	HOST("/dev/log", SOCK_DGRAM),
	{"sockets", "an abstract name of the host", 0, REFUSED " ECONNREFUSED EAFNOSUPPORT", abstract_name, 0, {PTR("/tmp/.X11-unix/X0")}},
	{"sockets", "names that are listed", FAST, NO_PATH, unix_names, 0, {0}},
	{"sockets", "say that it is init", FAST, REFUSED " EPROTONOSUPPORT", forge, 0, {1, 1000}},
	{"sockets", "say that it is root", 0, REFUSED " EPROTONOSUPPORT", forge, 0, {0, 0}},
	{"sockets", "SO_RCVBUFFORCE", 0, REFUSED " ENOPROTOOPT EPROTONOSUPPORT", option, 0, {SO_RCVBUFFORCE}},
	{"sockets", "SO_MARK", 0, REFUSED " ENOPROTOOPT EPROTONOSUPPORT", option, 0, {SO_MARK}},
	{"sockets", "SO_ATTACH_FILTER", POLICY, REFUSED " ENOPROTOOPT EPROTONOSUPPORT", option, 0, {SO_ATTACH_FILTER}},
	{0},
};
