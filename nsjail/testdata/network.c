/* Servers with their clients, and terminals: modes of prog. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} at;
static socklen_t size;

static int fail(void)
{
	printf("%s\n", strerror(errno));
	return 0;
}

static int make(const char *address, const char *port, int type)
{
	memset(&at, 0, sizeof at);
	if (strchr(address, ':')) {
		at.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)atoi(port))};
		inet_pton(AF_INET6, address, &at.v6.sin6_addr);
		size = sizeof at.v6;
	} else {
		at.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
		inet_pton(AF_INET, address, &at.v4.sin_addr);
		size = sizeof at.v4;
	}
	return socket(at.any.sa_family, type, 0);
}

/* A server and its client. */
static int echo(const char *address, const char *port, int type)
{
	char b[8] = "";
	int server = make(address, port, type), client = socket(at.any.sa_family, type, 0), one = 1;
	if (server < 0 || client < 0 || setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 || bind(server, &at.any, size) < 0 ||
	    (type == SOCK_STREAM && listen(server, 1) < 0) || getsockname(server, &at.any, &size) < 0 || connect(client, &at.any, size) < 0)
		return fail();
	int from = type == SOCK_STREAM ? accept(server, NULL, NULL) : server;
	if (from < 0 || send(client, "hello", 5, 0) != 5 || recv(from, b, sizeof b, 0) != 5)
		return fail();
	printf("%s\n", b);
	return 0;
}

static int dial(const char *address, const char *port)
{
	int fd = make(address, port, SOCK_STREAM);
	if (fd < 0 || connect(fd, &at.any, size) < 0)
		return fail();
	printf("connected\n");
	return 0;
}

static int serve(const char *address, const char *port)
{
	int fd = make(address, port, SOCK_STREAM);
	if (fd < 0 || bind(fd, &at.any, size) < 0 || listen(fd, 1) < 0)
		return fail();
	printf("listening\n");
	fflush(stdout);
	accept(fd, NULL, NULL);
	return 0;
}

/* Types on one end of a new terminal and reads on the other. */
static int terminal(void)
{
	char b[64] = "";
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return fail();
	char *name = ptsname(master);
	int slave = open(name, O_RDWR | O_NOCTTY);
	if (slave < 0 || write(master, "hello\n", 6) != 6 || read(slave, b, sizeof b) != 6)
		return fail();
	printf("%s: %s", name, b);
	return 0;
}

/* So many connections that their maker has closed while data waits that nobody reads. */
static int orphans(int count)
{
	static char full[4 << 20];
	int tiny = 4096, server = make("127.0.0.1", "0", SOCK_STREAM);
	if (server < 0 || setsockopt(server, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny) < 0 || bind(server, &at.any, size) < 0 ||
	    listen(server, 64) < 0 || getsockname(server, &at.any, &size) < 0)
		return fail();
	for (int i = 0; i < count; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0);
		if (client < 0 || setsockopt(client, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny) < 0 || connect(client, &at.any, size) < 0 ||
		    accept(server, NULL, NULL) < 0 || send(client, full, sizeof full, MSG_DONTWAIT) < 0)
			return fail();
		close(client);
	}
	printf("closed\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* So many processes that ask for lists of interfaces without end. */
static int ask(int processes)
{
	static char answer[64 << 10];
	struct {
		struct nlmsghdr head;
		struct rtgenmsg body;
	} q = {{sizeof q, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
	while (--processes > 0 && fork() > 0)
		;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (fd < 0 || send(fd, &q, sizeof q, 0) < 0 || recv(fd, answer, sizeof answer, 0) <= 0)
		return fail();
	printf("asked\n");
	fflush(stdout);
	for (;;) {
		send(fd, &q, sizeof q, 0); /* EBUSY until all of the last answer is read */
		recv(fd, answer, sizeof answer, MSG_DONTWAIT);
	}
}

/* A control message of that many bytes, which no protocol knows. */
static int control(size_t bytes)
{
	static char big[256 << 10];
	int s[2];
	struct cmsghdr *h = (struct cmsghdr *)(void *)big;
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = big, .msg_controllen = bytes};
	*h = (struct cmsghdr){.cmsg_len = bytes, .cmsg_level = 1234};
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0 || sendmsg(s[0], &m, 0) < 0)
		return fail();
	printf("sent\n");
	return 0;
}

int network(int argc, char **argv)
{
	const char *mode = argv[1];
	if (strcmp(mode, "terminal") == 0)
		return terminal();
	if (argc == 3 && strcmp(mode, "orphans") == 0)
		return orphans(atoi(argv[2]));
	if (argc == 3 && strcmp(mode, "ask") == 0)
		return ask(atoi(argv[2]));
	if (argc == 3 && strcmp(mode, "control") == 0)
		return control((size_t)atol(argv[2]));
	if (argc < 4)
		return -1;
	if (strcmp(mode, "echo-tcp") == 0)
		return echo(argv[2], argv[3], SOCK_STREAM);
	if (strcmp(mode, "echo-udp") == 0)
		return echo(argv[2], argv[3], SOCK_DGRAM);
	if (strcmp(mode, "connect") == 0)
		return dial(argv[2], argv[3]);
	if (strcmp(mode, "serve") == 0)
		return serve(argv[2], argv[3]);
	return -1;
}
