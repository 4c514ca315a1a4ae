/*
 * bind.c - bind() and listen() on the caller's own open socket.
 *
 * listen() needs no address, and gives an unbound internet socket a port that the kernel picks, which
 * Landlock does not see. A socket that was bound stays bound to its port whatever another thread does, so it
 * is enough to look once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "net/call.h"

#define CAP_NET_BIND_SERVICE 10

static bool is_internet(const struct sl_net_call *c)
{
	return c->family == AF_INET || c->family == AF_INET6;
}

static void report(const struct sl_net_call *c, enum sl_net_deed deed, const struct sl_net_peer *at,
		   const char *name, int r, bool refused)
{
	struct sl_net_event e = {.deed = deed, .refused = refused, .local = name};

	if (at) {
		e.has_peer = true;
		e.peer = *at;
	}
	sl_net_call_report(c, &e, r < 0 ? -r : 0);
}

/* Ports below the system's bound are for who has the capability, and the caller may have less than we. */
static bool may_bind_low(const struct sl_net_call *c, uint16_t port)
{
	struct sl_creds creds;

	if (!port || port >= 1024)
		return true;
	return sl_tracee_creds(c->tid, &creds) == 0 &&
	       (creds.cap_effective & (1ULL << CAP_NET_BIND_SERVICE) || creds.euid == geteuid());
}

static int bind_internet(const struct sl_net_call *c, const struct sl_address *a)
{
	const struct sl_policy *policy = c->net->policy;
	struct sl_net_peer at = {.port = ntohs(a->in.sin_port)};
	bool known = sl_net_call_protocol(c, &at.protocol), allowed;
	int r;

	/* Both families have the port at the same place; AF_UNSPEC can mean AF_INET. */
	if (a->len < offsetof(struct sockaddr_in, sin_addr))
		return -EINVAL;
	sl_address_fold(a, &at.address, &at.port);
	allowed = (!policy && !c->net->refuse_all) ||
		  (policy && known && sl_net_allows_bind(&policy->net, at.port)) ||
		  /* What sending without bind gives as well. */
		  (known && at.protocol != SL_NET_TCP && !at.port);
	if (known && at.protocol == SL_NET_ICMP)
		allowed = true; /* the number is an echo request's id */
	if (allowed && !may_bind_low(c, at.port))
		r = -EACCES;
	else
		r = !allowed ? -EACCES : bind(c->fd, &a->any, a->len) < 0 ? -errno : 0;
	report(c, SL_NET_BOUND, &at, NULL, r, !allowed);
	return r;
}

static int64_t bind_local(struct sl_net_call *c, const struct sl_address *a)
{
	if (sl_address_family(a) == AF_UNIX && sl_address_local(a) == SL_LOCAL_PATH)
		return sl_net_bind_path(c, a);
	if (sl_address_family(a) == AF_UNIX && sl_address_local(a) == SL_LOCAL_ABSTRACT) {
		SL_STRBUF name = SL_STRBUF_INIT;
		int r = bind(c->fd, &a->any, a->len) < 0 ? -errno : 0;

		sl_address_abstract(&name, a);
		report(c, SL_NET_BOUND, NULL, sl_strbuf_str(&name), r, false);
		return r;
	}
	return bind(c->fd, &a->any, a->len) < 0 ? -errno : 0;
}

int64_t sl_net_bind(struct sl_net_call *c)
{
	struct sl_address a;
	int r = sl_address_read(c->tid, c->n.data.args[1], c->n.data.args[2], &a);

	if (r < 0)
		return r == -EFAULT || r == -EINVAL ? r : -EACCES;
	if (!sl_net_call_valid(c))
		return -EACCES;
	if (is_internet(c))
		return bind_internet(c, &a);
	if (c->family == AF_UNIX)
		return bind_local(c, &a);
	if (c->family == AF_NETLINK || !c->net->policy)
		return bind(c->fd, &a.any, a.len) < 0 ? -errno : 0;
	return -EACCES;
}

/* Who connects to a local socket can ask who listens (SO_PEERCRED): that is the caller. */
static int listen_as_caller(const struct sl_net_call *c, int backlog)
{
	struct sl_peer_identity identity;
	int r;

	if (c->family != AF_UNIX)
		return listen(c->fd, backlog) < 0 ? -errno : 0;
	r = sl_peer_identity_assume(c, &identity);
	if (r < 0)
		return r;
	r = listen(c->fd, backlog) < 0 ? -errno : 0;
	sl_peer_identity_restore(&identity);
	return r;
}

int64_t sl_net_listen(struct sl_net_call *c)
{
	const struct sl_policy *policy = c->net->policy;
	struct sl_address own = {.len = sizeof(own.storage)};
	struct sl_net_peer at = {0};
	bool allowed = c->family == AF_UNIX || !policy;
	int r;

	if (!sl_net_call_valid(c))
		return -EACCES;
	if (is_internet(c)) {
		if (getsockname(c->fd, &own.any, &own.len) < 0 ||
		    !sl_address_fold(&own, &at.address, &at.port))
			return -EACCES;
		sl_net_call_protocol(c, &at.protocol);
		allowed = policy ? sl_net_allows_bind(&policy->net, at.port) : !c->net->refuse_all;
	}
	r = !allowed ? -EACCES : listen_as_caller(c, (int)c->n.data.args[1]);
	report(c, SL_NET_LISTENED, is_internet(c) ? &at : NULL, NULL, r, !allowed);
	return r;
}
