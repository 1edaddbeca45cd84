/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: those of others, and what can be done with one's own. */
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A new terminal that is the probe's controlling one; the descriptor of its other end. */
static int own_terminal(const struct probe *p)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), none = 0;
	if (master < 0 || ioctl(master, TIOCSPTLCK, &none) < 0)
		refused(p, errno);
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (fd < 0 || setsid() < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
		refused(p, errno);
	return fd;
}

/* Requests on one's own terminal that reach further than it. */
static void request(const struct probe *p)
{
	int value = (int)p->arg[1]; /* a line discipline; a character to type; a subcode */
	must_fail(p, ioctl(own_terminal(p), (unsigned long)p->arg[0], &value));
}

/* The terminals of others would be files here. */
static void listed(const struct probe *p)
{
	DIR *d = opendir("/dev/pts");
	if (!d)
		refused(p, errno);
	for (struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, "ptmx"))
			escaped(p, "/dev/pts has %s", e->d_name);
	held(p, "none");
}

/* Their number is one for the host. */
static void count(const struct probe *p)
{
	int n = 0;
	while (n < 64 && open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0)
		n++;
	if (n > 16)
		escaped(p, "there can be %d", n);
	refused(p, errno);
}

#define REQUEST(name, flags, number, value) {"terminals", name, flags, REFUSED " EIO ENOENT", request, 0, {number, value}}

const struct probe terminal_probes[] = {
	{"terminals", "that are listed", FAST, NO_PATH, listed, 0, {0}},
	{"terminals", "have an end", FAST, REFUSED " ENOSPC ENOENT", count, 0, {0}},
	REQUEST("TIOCSTI", POLICY | FAST, TIOCSTI, 'x'),
	REQUEST("TIOCLINUX", POLICY, TIOCLINUX, 2),
	REQUEST("TIOCCONS", 0, TIOCCONS, 0),
	REQUEST("line discipline SLIP", POLICY, TIOCSETD, 1),
	REQUEST("line discipline HDLC", POLICY, TIOCSETD, 13),
	REQUEST("line discipline GSM", POLICY, TIOCSETD, 21),
	{0},
};
