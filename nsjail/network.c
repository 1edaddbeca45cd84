/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The op of the spawner that makes a network namespace usable within itself.
 */
#define _GNU_SOURCE
#include "tree.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The kernel gives lo its addresses, 127.0.0.1 and ::1, and the routes to them. */
int loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return closing(fd, -1);
	r.ifr_flags |= IFF_UP;
	return closing(fd, ioctl(fd, SIOCSIFFLAGS, &r));
}
