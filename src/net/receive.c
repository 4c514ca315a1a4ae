/*
 * receive.c - getpeername(), and recvfrom() that asks where a datagram came from, on a socket that has a
 * stand-in for its nameserver.
 *
 * Some resolvers (c-ares) compare that with the nameserver's address, though the kernel gave a connected
 * socket nothing from elsewhere. They are told the nameserver's. On every other socket the call goes on as it
 * is: receiving is not judged.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "base/macros.h"
#include "net/call.h"
#include "net/resolver.h"
#include "net/worker.h"

struct receiving {
	struct sl_net_call c;
	struct sl_nameserver server; /* what is told */
	uint32_t room;		     /* bytes that the caller has for the address */
	size_t size;		     /* of its buffer, as much as a datagram can fill */
	int flags;
};

/* Whom does the caller's socket have a stand-in for? */
static bool has_stand_in(const struct sl_net_call *c, struct sl_nameserver *ret)
{
	struct sl_address peer = {.len = sizeof(peer.storage)};

	return c->net->resolver && (c->family == AF_INET || c->family == AF_INET6) &&
	       getpeername(c->fd, &peer.any, &peer.len) == 0 &&
	       sl_resolver_stands_for(c->net->resolver, &peer.any, peer.len, ret);
}

/* getpeername(): the nameserver's address, as the kernel writes one. */
static int64_t tell_peer(const struct sl_net_call *c, const struct sl_nameserver *server)
{
	const __u64 *args = c->n.data.args;
	uint32_t room, len = server->len;

	if (sl_tracee_read(c->tid, args[2], &room, sizeof(room)) < 0)
		return -EFAULT;
	if (room > INT32_MAX)
		return -EINVAL;
	if (!sl_net_call_valid(c))
		return -EACCES;
	if (sl_tracee_write(c->tid, args[1], &server->any, SL_MIN(room, len)) < 0 ||
	    sl_tracee_write(c->tid, args[2], &len, sizeof(len)) < 0)
		return -EFAULT;
	return 0;
}

/* Hand over what came, and the nameserver's address as the kernel writes one: what there is room for, and its
 * length. */
static int tell(const struct receiving *k, uint8_t *buf, size_t len)
{
	struct sl_nameserver server = k->server;
	const __u64 *args = k->c.n.data.args;
	uint32_t server_len = server.len;
	const struct iovec local[] = {
	    {buf, len}, {&server.any, SL_MIN(k->room, server_len)}, {&server_len, sizeof(server_len)}};
	const struct iovec remote[] = {{(void *)(uintptr_t)args[1], local[0].iov_len},
				       {(void *)(uintptr_t)args[4], local[1].iov_len},
				       {(void *)(uintptr_t)args[5], local[2].iov_len}};

	return sl_tracee_writev(k->c.tid, remote, local, SL_ARRAY_LEN(local));
}

/* Receive once: the result, or -errno. */
static int64_t receive_once(const struct receiving *k, int more_flags)
{
	static const size_t none = 1; /* malloc(0) may be NULL */
	SL_FREE uint8_t *buf = sl_xmalloc(k->size + none);
	ssize_t n = recv(k->c.fd, buf, k->size, k->flags | more_flags);

	if (n < 0)
		return -errno;
	return tell(k, buf, SL_MIN((size_t)n, k->size)) < 0 ? -EFAULT : n;
}

static int64_t receive_timeout_us(int fd)
{
	struct timeval t = {0};
	socklen_t size = sizeof(t);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &size) < 0)
		return 0;
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* Wait as the caller would. */
static void work(void *arg)
{
	struct receiving *k = arg;
	int64_t timeout_us = receive_timeout_us(k->c.fd), r;
	struct sl_wait w;

	sl_wait_begin(&w, k->c.net->workers, k->c.listener, k->c.n.id, k->c.tid, timeout_us);
	do {
		r = receive_once(k, 0);
		if (r != -EINTR)
			break;
		r = sl_wait_interrupted(&w);
	} while (r == 0);
	sl_wait_end(&w);
	if (r == -ETIMEDOUT)
		r = -EAGAIN;
	else if (r == -EINTR && !timeout_us)
		r = -SL_ERESTARTSYS;
	sl_net_answer(&k->c, r);
	sl_close(k->c.fd);
	free(k);
}

/* Begin: the result, or -EAGAIN where there is nothing yet. */
static int64_t begin(struct receiving *k)
{
	const __u64 *args = k->c.n.data.args;

	if (sl_tracee_read(k->c.tid, args[5], &k->room, sizeof(k->room)) < 0)
		return -EFAULT;
	if (k->room > INT32_MAX)
		return -EINVAL;
	k->size = (size_t)SL_MIN(args[2], (uint64_t)UINT16_MAX);
	k->flags = (int)args[3];
	return sl_net_call_valid(&k->c) ? receive_once(k, MSG_DONTWAIT) : -EACCES;
}

int64_t sl_net_receive(struct sl_net_call *c)
{
	struct receiving *k;
	struct sl_nameserver server;
	int64_t r;

	if (!has_stand_in(c, &server))
		return SL_GO_ON;
	if (c->call->nr == __NR_getpeername)
		return tell_peer(c, &server);
	if (c->type != SOCK_DGRAM || (int)c->n.data.args[3] & MSG_ERRQUEUE)
		return SL_GO_ON;
	k = sl_xcalloc(1, sizeof(*k));
	k->c = *c;
	k->server = server;
	r = begin(k);
	if (r == -EAGAIN && !(k->flags & MSG_DONTWAIT) && sl_net_call_waits(c)) {
		r = sl_workers_run(c->net->workers, work, k);
		if (r == 0)
			return SL_LATER;
	}
	free(k);
	return r;
}
