/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: garbage collection of AF_UNIX, the routing table's lock, the loopback's queues, pipes. */
#define _GNU_SOURCE
#include "abuse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int send_fds(int to, const int *fds, int n)
{
	char space[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec iov = {"x", 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	*h = (struct cmsghdr){.cmsg_len = CMSG_LEN((size_t)n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(h), fds, (size_t)n * sizeof(int));
	return sendmsg(to, &m, MSG_DONTWAIT) < 0 ? -1 : 0;
}

/* Pairs that are in flight in each other: only the collector, of which the host has one, finds out whether they can be reached. */
static int cycle(void)
{
	for (int i = 0; i < FILES / 2; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -1;
		if (send_fds(pair[0], pair, 2) < 0 && errno != ETOOMANYREFS)
			return -1;
	}
	return 0;
}

static int collect(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	send_fds(pair[0], pair, 2);
	close(pair[0]);
	return close(pair[1]);
}

/* Asks for all interfaces: rtnl_mutex, which whoever makes a network namespace takes. */
static int ask_links(void)
{
	static int fd;
	static char answer[1 << 16];
	if (!fd && (fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) < 0)
		return -1;
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = {{.nlmsg_len = sizeof ask, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}, {.rtgen_family = AF_UNSPEC}};
	if (send(fd, &ask, sizeof ask, 0) < 0)
		return -1;
	recv(fd, answer, sizeof answer, 0);
	recv(fd, answer, sizeof answer, MSG_DONTWAIT); /* the end */
	return 0;
}

static struct sockaddr_in here = {.sin_family = AF_INET};
static int listener, datagrams;

static int bind_here(int fd)
{
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || getsockname(fd, (struct sockaddr *)&here, &(socklen_t){sizeof here}) < 0 ? -1 : fd;
}

static int listen_here(void) { return (listener = bind_here(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) < 0 || listen(listener, 64) < 0 ? -1 : 0; }

/* What is closed first waits (TIME_WAIT). */
static int connect_here(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&here, sizeof here) == 0) {
		close(fd);
		fd = accept(listener, NULL, NULL);
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static int udp_here(void) { return datagrams = bind_here(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

static int send_packets(void)
{
	static char packet[64];
	for (int i = 0; i < 50; i++)
		if (sendto(datagrams, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&here, sizeof here) < 0 && errno != EAGAIN)
			return -1;
	return 0;
}

static int make_sockets(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -1 : close(fd);
}

static int make_pipes(void)
{
	int p[2];
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	fcntl(p[0], F_SETPIPE_SZ, 1 << 20);
	close(p[0]);
	return close(p[1]);
}

const struct abuse socket_abuses[] = {
	{"descriptors in flight", cycle, collect},
	{"netlink", NULL, ask_links},
	{"connections", listen_here, connect_here},
	{"packets", udp_here, send_packets},
	{"sockets", NULL, make_sockets},
	{"pipes", NULL, make_pipes},
	{NULL, NULL, NULL},
};
