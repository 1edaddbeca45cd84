/* SPDX-License-Identifier: Apache-2.0 */
/* The network that a job has: what else than TCP, UDP and a loopback is in it, and what leads out of it. */
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(const struct probe *p, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		refused(p, errno);
	return fd;
}

static void a_socket(const struct probe *p) { must_fail(p, socket((int)p->arg[0], (int)p->arg[1] | SOCK_CLOEXEC, (int)p->arg[2])); }

/* All protocols of netlink but NETLINK_ROUTE. */
static void netlinks(const struct probe *p)
{
	for (int protocol = 1; protocol <= 22; protocol++) {
		if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol) >= 0)
			escaped(p, "netlink protocol %d", protocol);
		if (errno != EPROTONOSUPPORT)
			refused(p, errno);
	}
	refused(p, errno);
}

/* A connected UDP socket has sent nothing, and knows whether there is a way. */
static void route4(const struct probe *p)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	inet_pton(AF_INET, (const char *)p->arg[0], &to.sin_addr);
	must_fail(p, connect(open_socket(p, AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&to, sizeof to));
}

static void route6(const struct probe *p)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	inet_pton(AF_INET6, (const char *)p->arg[0], &to.sin6_addr);
	must_fail(p, connect(open_socket(p, AF_INET6, SOCK_DGRAM, 0), (struct sockaddr *)&to, sizeof to));
}

static void loopback_up(const struct probe *p)
{
	int fd = open_socket(p, AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {.ifr_name = "lo"};
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		refused(p, errno);
	if (r.ifr_flags & IFF_UP)
		escaped(p, "it is up already");
	r.ifr_flags |= IFF_UP;
	must_fail(p, ioctl(fd, SIOCSIFFLAGS, &r));
}

/* The way it was done before netlink. */
static void change(const struct probe *p)
{
	int fd = open_socket(p, AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {.ifr_name = "lo"};
	struct sockaddr_in a = {.sin_family = AF_INET};
	inet_pton(AF_INET, "10.0.0.1", &a.sin_addr);
	if (p->arg[0] == SIOCSIFADDR)
		memcpy(&r.ifr_addr, &a, sizeof a);
	if (p->arg[0] == SIOCSIFMTU)
		r.ifr_mtu = 1500;
	struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = "lo"};
	memcpy(&route.rt_dst, &a, sizeof a);
	memcpy(&route.rt_genmask, &a, sizeof a);
	must_fail(p, ioctl(fd, (unsigned long)p->arg[0], p->arg[0] == SIOCADDRT ? (void *)&route : (void *)&r));
}

/* Asks rtnetlink to change something; see rtnetlink(7). */
static void rtnetlink(const struct probe *p)
{
	struct {
		struct nlmsghdr header;
		union {
			struct ifinfomsg link;
			struct ifaddrmsg address;
			struct rtmsg route;
			struct tcmsg queue;
		} is;
		struct rtattr attribute;
		char value[12];
	} m;
	union {
		struct nlmsghdr header;
		char space[8192];
	} answer;
	memset(&m, 0, sizeof m);
	int type = (int)p->arg[0];
	m.header.nlmsg_type = (unsigned short)type;
	m.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (p->arg[1] ? NLM_F_CREATE | NLM_F_EXCL : 0);
	size_t body = sizeof m.is.link;
	m.is.link.ifi_index = p->arg[1] ? 0 : 1; /* lo */
	m.is.link.ifi_change = IFF_UP;
	m.attribute.rta_type = IFLA_NET_NS_PID;
	unsigned value = 1; /* lo into the namespace of process 1 */
	if (type == RTM_NEWADDR) {
		body = sizeof m.is.address;
		m.is.address = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = 1};
		m.attribute.rta_type = IFA_LOCAL, value = htonl(0x0a000001);
	} else if (type == RTM_NEWROUTE) {
		body = sizeof m.is.route;
		m.is.route = (struct rtmsg){.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST};
		m.attribute.rta_type = RTA_OIF, value = 1;
	} else if (type == RTM_NEWQDISC) {
		body = sizeof m.is.queue;
		m.is.queue = (struct tcmsg){.tcm_ifindex = 1, .tcm_parent = TC_H_ROOT};
		m.attribute.rta_type = TCA_KIND, memcpy(&value, "fq", 3);
	}
	/* The attribute stands right after the body, whose size differs. */
	m.attribute.rta_len = RTA_LENGTH(sizeof value);
	struct rtattr attribute = m.attribute;
	memcpy((char *)&m.is + NLMSG_ALIGN(body), &attribute, sizeof attribute);
	memcpy((char *)&m.is + NLMSG_ALIGN(body) + sizeof attribute, &value, sizeof value);
	m.header.nlmsg_len = (unsigned)(NLMSG_LENGTH(NLMSG_ALIGN(body)) + sizeof attribute + sizeof value);
	int fd = open_socket(p, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (send(fd, &m, m.header.nlmsg_len, 0) < 0)
		refused(p, errno);
	if (recv(fd, &answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.header.nlmsg_type != NLMSG_ERROR)
		escaped(p, "an answer that is no refusal");
	int error = ((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
	if (error == 0)
		escaped(p, "it worked");
	refused(p, -error);
}

/* An option of a socket of the family, type and level arg[0..2], whose number is arg[3] and whose value is text or a number. */
static void option(const struct probe *p)
{
	int one = 1;
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
	struct sock_fprog program = {1, all};
	struct ip_mreqn group = {.imr_ifindex = 1};
	inet_pton(AF_INET, "224.0.0.251", &group.imr_multiaddr);
	const void *value = &one;
	socklen_t size = sizeof one;
	if (p->arg[4])
		value = (const void *)p->arg[4], size = (socklen_t)strlen(value);
	else if (p->arg[2] == SOL_SOCKET && (p->arg[3] == SO_ATTACH_FILTER || p->arg[3] == SO_ATTACH_REUSEPORT_CBPF))
		value = &program, size = sizeof program;
	else if (p->arg[2] == IPPROTO_IP && p->arg[3] == IP_ADD_MEMBERSHIP)
		value = &group, size = sizeof group;
	must_fail(p, setsockopt(open_socket(p, (int)p->arg[0], (int)p->arg[1], 0), (int)p->arg[2], (int)p->arg[3], value, size));
}

/* What is asked of a socket. */
static void ask(const struct probe *p)
{
	char value[64] = "";
	socklen_t size = sizeof value;
	must_fail(p, getsockopt(open_socket(p, AF_INET, SOCK_STREAM, 0), (int)p->arg[0], (int)p->arg[1], value, &size));
}

/* A loopback and no other device. */
static void interfaces(const struct probe *p)
{
	static char text[8192];
	if (read_file("/proc/self/net/dev", text, sizeof text) < 0)
		refused(p, errno);
	char *save, *line = strtok_r(text, "\n", &save);
	for (; line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = 0;
		line += strspn(line, " ");
		if (strcmp(line, "lo") != 0)
			escaped(p, "there is an interface %s", line);
	}
	held(p, "none but lo");
}

/* Sockets of others, which would be in the same network. */
static void listed(const struct probe *p)
{
	static const char *const files[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6", "/proc/self/net/udp", "/proc/self/net/udp6"};
	static char text[65536];
	for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (read_file(files[i], text, sizeof text) < 0)
			continue; /* this kernel has no IPv6 */
		char *line = strchr(text, '\n');
		if (line && line[1])
			escaped(p, "%s lists a socket", files[i]);
	}
	held(p, "none");
}

/* There is none: those of the loopback are in a table that is not shown here. */
static void routes(const struct probe *p)
{
	static char text[8192];
	if (read_file("/proc/self/net/route", text, sizeof text) < 0)
		refused(p, errno);
	char *line = strchr(text, '\n');
	if (line && line[1])
		escaped(p, "there is a route");
	held(p, "none");
}

#define NO_FAMILY REFUSED " EAFNOSUPPORT"
/* A kernel without the protocol says the last two by itself. */
#define NO_PROTOCOL NO_FAMILY " EPROTONOSUPPORT ESOCKTNOSUPPORT"
/* Even a program that may have the socket has no way. */
#define NO_WAY NO_FAMILY " ENETUNREACH EADDRNOTAVAIL EHOSTUNREACH"
#define NO_OPTION NO_FAMILY " ENOPROTOOPT ENODEV"
#define ROUTE4(address, flags) {"network", "a way to " address, flags, NO_WAY, route4, 0, {PTR(address)}}
#define ROUTE6(address, flags) {"network", "a way to " address, flags, NO_WAY, route6, 0, {PTR(address)}}
#define PROTOCOL(name, flags, family, type, number) {"network", name, flags, NO_PROTOCOL, a_socket, 0, {family, type, number}}
#define CHANGE(name, number) {"network", name, 0, NO_FAMILY, change, 0, {number}}
#define RTNETLINK(name, type, create) {"network", name, 0, NO_FAMILY, rtnetlink, 0, {type, create}}
#define OPTION(name, flags, family, type, level, number, value) \
	{"network", name, flags, NO_OPTION, option, 0, {family, type, level, number, PTR(value)}}
#define TCP_OPTION(name, flags, level, number, value) OPTION(name, flags, AF_INET, SOCK_STREAM, level, number, value)
#define UDP_OPTION(name, flags, level, number, value) OPTION(name, flags, AF_INET, SOCK_DGRAM, level, number, value)
#define TCP6_OPTION(name, flags, number) OPTION(name, flags, AF_INET6, SOCK_STREAM, 41, number, 0)

const struct probe network_probes[] = {
	PROTOCOL("raw IP", FAST, AF_INET, SOCK_RAW, 255),
	PROTOCOL("raw ICMP", 0, AF_INET, SOCK_RAW, 1),
	PROTOCOL("raw IPv6", 0, AF_INET6, SOCK_RAW, 58),
	PROTOCOL("ping", 0, AF_INET, SOCK_DGRAM, 1),
	PROTOCOL("ping over IPv6", 0, AF_INET6, SOCK_DGRAM, 58),
	PROTOCOL("MPTCP", POLICY | FAST, AF_INET, SOCK_STREAM, 262),
	PROTOCOL("MPTCP over IPv6", POLICY, AF_INET6, SOCK_STREAM, 262),
	PROTOCOL("SMC", POLICY, AF_INET, SOCK_STREAM, 256),
	PROTOCOL("SCTP", POLICY, AF_INET, SOCK_STREAM, 132),
	PROTOCOL("SCTP of packets", POLICY, AF_INET6, SOCK_SEQPACKET, 132),
	PROTOCOL("DCCP", POLICY, AF_INET, SOCK_DCCP, 33),
	PROTOCOL("UDPLITE", POLICY, AF_INET, SOCK_DGRAM, 136),
	PROTOCOL("L2TP", POLICY, AF_INET, SOCK_DGRAM, 115),
	PROTOCOL("SOCK_PACKET", 0, AF_INET, SOCK_PACKET, 0),
	{"network", "netlink but for NETLINK_ROUTE", POLICY | FAST, NO_PROTOCOL, netlinks, 0, {0}},

	ROUTE4("192.0.2.1", FAST),
	ROUTE4("10.0.0.1", 0),
	ROUTE4("169.254.169.254", FAST), /* the metadata service of clouds */
	ROUTE4("169.254.170.2", 0),      /* and that of ECS */
	ROUTE4("172.17.0.1", 0),         /* the host, as containers of Docker see it */
	ROUTE4("224.0.0.251", 0),
	ROUTE6("2606:4700::1111", 0),
	ROUTE6("fd00:ec2::254", 0),
	{"network", "interfaces", FAST, NO_PATH, interfaces, 0, {0}},
	{"network", "sockets of others", FAST, NO_PATH, listed, 0, {0}},
	{"network", "routes", FAST, NO_PATH, routes, 0, {0}},

	CHANGE("take the loopback down", SIOCSIFFLAGS),
	CHANGE("give it an address", SIOCSIFADDR),
	CHANGE("give it an MTU", SIOCSIFMTU),
	CHANGE("add a route", SIOCADDRT),
	RTNETLINK("take the loopback down by netlink", RTM_NEWLINK, 0),
	RTNETLINK("remove the loopback", RTM_DELLINK, 0),
	RTNETLINK("make an interface", RTM_NEWLINK, 1),
	RTNETLINK("give it an address by netlink", RTM_NEWADDR, 1),
	RTNETLINK("add a route by netlink", RTM_NEWROUTE, 1),
	RTNETLINK("add a queueing discipline", RTM_NEWQDISC, 1),

	TCP_OPTION("TCP_ULP", POLICY | FAST, IPPROTO_TCP, TCP_ULP, "tls"),
	TCP_OPTION("TCP_CONGESTION", POLICY, IPPROTO_TCP, TCP_CONGESTION, "reno"),
	TCP_OPTION("TCP_MD5SIG", POLICY, IPPROTO_TCP, TCP_MD5SIG, 0),
	TCP_OPTION("TCP_FASTOPEN", POLICY, IPPROTO_TCP, TCP_FASTOPEN, 0),
	TCP_OPTION("TCP_REPAIR", 0, IPPROTO_TCP, TCP_REPAIR, 0),
	TCP_OPTION("a filter on TCP", POLICY, SOL_SOCKET, SO_ATTACH_FILTER, 0),
	UDP_OPTION("a filter on a port", POLICY, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, 0),
	TCP_OPTION("SO_TIMESTAMP", POLICY, SOL_SOCKET, SO_TIMESTAMP, 0),
	TCP_OPTION("SO_ZEROCOPY", POLICY, SOL_SOCKET, SO_ZEROCOPY, 0),
	TCP_OPTION("IP_TRANSPARENT", 0, IPPROTO_IP, IP_TRANSPARENT, 0),
	TCP_OPTION("IP_OPTIONS", POLICY, IPPROTO_IP, IP_OPTIONS, "\1\1\1\1"),
	TCP_OPTION("IP_XFRM_POLICY", 0, IPPROTO_IP, IP_XFRM_POLICY, 0),
	TCP_OPTION("tables of iptables", 0, IPPROTO_IP, 64, 0),
	{"network", "TCP_ZEROCOPY_RECEIVE", POLICY, NO_OPTION, ask, 0, {IPPROTO_TCP, 35}},
	{"network", "read tables of iptables", 0, NO_OPTION, ask, 0, {IPPROTO_IP, 64}},
	UDP_OPTION("a multicast group", POLICY, IPPROTO_IP, IP_ADD_MEMBERSHIP, 0),
	UDP_OPTION("UDP_ENCAP", POLICY | FAST, IPPROTO_UDP, 100, "\2\0\0\0"),
	UDP_OPTION("UDP_GRO", POLICY, IPPROTO_UDP, 104, 0),
	TCP6_OPTION("tables of ip6tables", 0, 64),
	TCP6_OPTION("IPV6_TRANSPARENT", 0, 75),

	{"network", "AF_INET offline", POLICY | OFFLINE, NO_FAMILY, a_socket, 0, {AF_INET, SOCK_STREAM, 0}},
	{"network", "AF_INET6 offline", POLICY | OFFLINE, NO_FAMILY, a_socket, 0, {AF_INET6, SOCK_DGRAM, 0}},
	{"network", "AF_NETLINK offline", POLICY | OFFLINE, NO_FAMILY, a_socket, 0, {AF_NETLINK, SOCK_RAW, 0}},
	ROUTE4("127.0.0.1", OFFLINE), /* its loopback is down */
	ROUTE6("::1", OFFLINE),
	{"network", "bring the loopback up", OFFLINE, NO_FAMILY, loopback_up, 0, {0}},
	{0},
};
