/* port.c -- gives the development broker the port that was asked for.
 *
 * librdkafka's mock cluster binds its listeners to port 0, that is, to any free one, and offers no way to choose. A broker that is
 * started again must have its old address, or everybody who knew it is cut off. So this program has a bind() of its own, which the
 * linker prefers to that of the C library: where 127.0.0.1 port 0 is asked for, the next port of ours is taken.
 */
#include "broker-config/port.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int *next_port(void)
{
	static int port; /* 0: any */
	return &port;
}

void port_choose(int port)
{
	*next_port() = port;
}

static bool is_any_port(const struct sockaddr *address, socklen_t len, struct sockaddr_in *out)
{
	if (len != sizeof(*out) || address->sa_family != AF_INET)
		return false;
	memcpy(out, address, sizeof(*out));
	return out->sin_port == 0 && out->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

/* SO_REUSEADDR, since connections of the broker before us may still be in TIME_WAIT. */
int bind(int fd, const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_in ours;
	const int on = 1;
	if (*next_port() != 0 && is_any_port(address, len, &ours)) {
		ours.sin_port = htons((uint16_t)(*next_port())++);
		if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
			return -1;
		return (int)syscall(SYS_bind, fd, &ours, sizeof(ours));
	}
	return (int)syscall(SYS_bind, fd, address, len);
}
