/*
 * listeners.c - which TCP listeners on the loopback interface are the sandbox's own. The kernel lists listening
 * sockets by port (inet_diag, sock_diag(7)); who holds one is found as for local sockets (sockets.h).
 *
 * A listener counts where a connection to the address can reach no other: it is bound to that address or to
 * all (of IPv4 too, where that is asked for), it is the only one that is, and its port is not shared
 * (SO_REUSEPORT). As long as it is held and listens nobody else can get its port. Only loopback addresses: any other can be bound to that is not this machine's
 * (IP_FREEBIND).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "net/sockets.h"

#define DUMP_BYTES (32 * 1024)

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

struct listener {
	uint32_t inode;
	uint64_t cookie;
	unsigned int count; /* of listeners that a connection could reach */
};

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

/* Could a connection to the address reach this listener? */
static bool covers(const struct inet_diag_msg *m, const struct in6_addr *address)
{
	struct in6_addr own = {0};

	if (m->idiag_family == AF_INET) {
		if (!IN6_IS_ADDR_V4MAPPED(address))
			return false;
		return !m->id.idiag_src[0] || m->id.idiag_src[0] == address->s6_addr32[3];
	}
	memcpy(&own, m->id.idiag_src, sizeof(own));
	return IN6_IS_ADDR_UNSPECIFIED(&own) || IN6_ARE_ADDR_EQUAL(&own, address);
}

static int ask(int family, uint16_t port)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
	    .header = {.nlmsg_len = sizeof(message),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	    .request = {.sdiag_family = (uint8_t)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1U << TCP_LISTEN,
			.id.idiag_sport = htons(port)},
	};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd >= 0 && send(fd, &message, sizeof(message), 0) != sizeof(message))
		fd = sl_close(fd);
	return fd;
}

/* Add the listeners of one family. 0; -EIO where the list is not whole. */
static int list(int family, const struct in6_addr *address, uint16_t port, struct listener *l)
{
	SL_CLOSE int fd = ask(family, port);
	SL_FREE char *buf = sl_xmalloc(DUMP_BYTES);

	while (fd >= 0) {
		ssize_t n = recv(fd, buf, DUMP_BYTES, 0);
		const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
		unsigned int left = n > 0 ? (unsigned int)n : 0;

		if (n <= 0)
			break;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct inet_diag_msg *m = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return h->nlmsg_type == NLMSG_DONE ? 0 : -EIO;
			if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->idiag_state != TCP_LISTEN ||
			    m->id.idiag_sport != htons(port) || !covers(m, address))
				continue;
			l->count++;
			l->inode = m->idiag_inode;
			l->cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
		}
	}
	return -EIO;
}

/* The one listener that a connection would reach. False where there is none, or more than one. */
static bool find(const struct in6_addr *address, uint16_t port, struct listener *ret)
{
	*ret = (struct listener){0};
	return list(AF_INET, address, port, ret) == 0 && list(AF_INET6, address, port, ret) == 0 &&
	       ret->count == 1 && ret->inode;
}

static bool is_set(int fd, int level, int name)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(fd, level, name, &value, &size) == 0 && value;
}

/* Is the port its alone? An IPv6 listener that takes no IPv4 leaves the port to somebody who does. */
static bool is_alone(int fd, const struct in6_addr *address)
{
	struct sl_address own = {.len = sizeof(own.storage)};

	if (is_set(fd, SOL_SOCKET, SO_REUSEPORT) || getsockname(fd, &own.any, &own.len) < 0)
		return false;
	return own.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(address) ||
	       !is_set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
}

bool sl_own_listener_listens(int fd, const struct in6_addr *address, uint16_t port)
{
	struct listener l;
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	return find(address, port, &l) && getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 &&
	       cookie == l.cookie && is_alone(fd, address);
}

int sl_own_listener_hold(const struct sl_net_call *c, const struct in6_addr *address, uint16_t port)
{
	struct listener l;
	int fd;

	if (!port || !is_loopback(address) || !find(address, port, &l))
		return -EACCES;
	fd = sl_own_socket_take(c, l.inode, l.cookie);
	if (fd >= 0 && !is_alone(fd, address)) {
		sl_close(fd);
		return -EACCES;
	}
	return fd;
}
