/*
 * connect.c - connect() on the caller's own open socket, to an address that was judged.
 *
 * A connect that can wait is first tried without waiting, which is all that a loopback connection takes; what
 * is under way then is waited for by a worker. For that moment the open file is made non-blocking, as no flag
 * of the call could say so.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/seccomp.h"
#include "net/call.h"
#include "net/resolver.h"
#include "net/sockets.h"
#include "net/worker.h"

struct connecting {
	struct sl_net_call c;
	struct sl_address address; /* what is connected to */
	struct sl_local local;
	struct sl_net_peer peer;
	bool has_peer, look_up, under_way, stand_in;
	int own;	  /* a listener of the sandbox's own, held; -EBADF: it is none */
	bool source_only; /* the socket gets the address that it would send from, and no peer */
};

static void release(struct connecting *k)
{
	sl_local_release(&k->local);
	sl_close(k->own);
	sl_close(k->c.fd);
	free(k);
}

static void report(const struct connecting *k, int error, bool refused)
{
	struct sl_net_event e = {
	    .deed = SL_NET_CONNECTED,
	    .refused = refused,
	    .has_peer = k->has_peer,
	    .peer = k->peer,
	    .local = k->local.name,
	    .own = k->local.own || k->own >= 0,
	};

	/* Asking a nameserver is part of naming a host, not a destination. */
	if (!k->stand_in && !k->source_only)
		sl_net_call_report(&k->c, &e, error);
}

/* Bind the caller's datagram socket to the address from which the peer would be sent to. It is another socket, which
 * nobody else has, that is connected to find that out. */
static int take_source(const struct connecting *k)
{
	SL_CLOSE int fd = socket(k->c.family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	struct sl_address own = {.len = sizeof(own.storage)};

	if (fd < 0 || connect(fd, &k->address.any, k->address.len) < 0 ||
	    getsockname(fd, &own.any, &own.len) < 0)
		return -errno;
	own.in.sin_port = 0; /* at the same place in both families */
	return bind(k->c.fd, &own.any, own.len) < 0 ? -EACCES : 0;
}

/* Whoever listened a moment ago can have stopped to, and somebody else have got the port: then nothing is left of it. */
static int connect_own(const struct connecting *k)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int r = connect(k->c.fd, &k->address.any, k->address.len) < 0 ? -errno : 0;

	if (!k->c.net->policy || sl_own_listener_listens(k->own, &k->peer.address, k->peer.port))
		return r;
	if ((r == 0 || r == -EINPROGRESS || r == -EALREADY) &&
	    connect(k->c.fd, &nobody, sizeof(nobody)) < 0)
		shutdown(k->c.fd, SHUT_RDWR);
	return -EACCES;
}

/* connect(2), with the caller's identity where the peer is told about it. */
static int connect_once(const struct connecting *k)
{
	struct sl_peer_identity identity;
	int r;

	if (k->source_only)
		return take_source(k);
	if (k->own >= 0)
		return connect_own(k);
	if (k->c.family != AF_UNIX)
		return connect(k->c.fd, &k->address.any, k->address.len) < 0 ? -errno : 0;
	r = sl_peer_identity_assume(&k->c, &identity);
	if (r < 0)
		return r;
	r = connect(k->c.fd, &k->address.any, k->address.len) < 0 ? -errno : 0;
	sl_peer_identity_restore(&identity);
	return r;
}

static bool is_under_way(const struct connecting *k, int r)
{
	if (k->c.family == AF_UNIX)
		return r == -EAGAIN;
	return r == -EINPROGRESS || r == -EALREADY;
}

/* Connect without waiting. k->under_way: a blocking caller has to wait. */
static int connect_now(struct connecting *k)
{
	int on = 1, off = 0, r;

	if (k->c.type == SOCK_DGRAM || !sl_net_call_waits(&k->c) || ioctl(k->c.fd, FIONBIO, &on) < 0)
		return connect_once(k);
	r = connect_once(k);
	if (r == -EINPROGRESS)
		r = connect_once(k); /* over loopback it is done by now */
	ioctl(k->c.fd, FIONBIO, &off);
	/* Interrupted: somebody made it blocking again just then. */
	k->under_way = is_under_way(k, r) || r == -EINTR;
	return r;
}

/* A socket that has a stand-in for its nameserver: its queries are answered from now on. */
static int connected(struct connecting *k)
{
	if (k->stand_in)
		return sl_resolver_admit(k->c.net->resolver, k->c.fd);
	return 0;
}

/* Wait as the caller would. */
static int64_t connect_waiting(struct connecting *k)
{
	int64_t timeout_us = sl_wait_send_timeout_us(k->c.fd);
	struct sl_wait w;
	int r;

	sl_wait_begin(&w, k->c.net->workers, k->c.listener, k->c.n.id, k->c.tid, timeout_us);
	do {
		r = connect_once(k);
		if (r == -EALREADY && timeout_us)
			r = -EINPROGRESS;
		if (r != -EINTR)
			break;
		r = sl_wait_interrupted(&w);
	} while (r == 0);
	sl_wait_end(&w);
	if (r == -ETIMEDOUT && timeout_us)
		return k->c.family == AF_UNIX ? -EAGAIN : -EINPROGRESS;
	if (r == -EINTR && !timeout_us)
		return -SL_ERESTARTSYS;
	return r;
}

static void finish(struct connecting *k, int64_t r)
{
	int c;

	if (r == 0 && (c = connected(k)) < 0)
		r = c;
	if (r != -SL_ERESTARTSYS)
		report(k, r < 0 ? (int)-r : 0, false);
	sl_net_answer(&k->c, r);
}

static void work(void *arg)
{
	struct connecting *k = arg;

	if (k->look_up) {
		int r = sl_net_look_up(&k->c);

		if (r < 0) {
			sl_net_answer(&k->c, r);
			release(k);
			return;
		}
		r = sl_net_judge(&k->c, &k->address, true, &k->peer);
		if (r == 0 && !sl_net_call_valid(&k->c))
			r = -ECANCELED;
		if (r < 0) {
			report(k, -r, true);
			sl_net_answer(&k->c, r);
			release(k);
			return;
		}
		r = connect_now(k);
		if (!k->under_way) {
			finish(k, r);
			release(k);
			return;
		}
	}
	finish(k, connect_waiting(k));
	release(k);
}

/* A nameserver is not connected to itself, unless a rule says so. 0; 1: the stand-in is; or -errno. */
static int stand_in(struct connecting *k)
{
	struct sl_resolver *resolver = k->c.net->resolver;
	struct sl_nameserver server;
	int r;

	if (!resolver || (k->c.type != SOCK_STREAM && k->peer.protocol != SL_NET_UDP))
		return 0;
	r = sl_resolver_stand_in(resolver, &k->address.any, k->address.len, k->c.type, &server);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	memset(&k->address, 0, sizeof(k->address));
	memcpy(&k->address.storage, &server.any, server.len);
	k->address.len = server.len;
	k->stand_in = true;
	return 1;
}

/* Programs find out from which address they reach a host by connecting a datagram socket to it, on which they send
 * nothing. Whoever may ask the host how it is (icmp) may find that out. */
static bool is_asked_for_source(const struct connecting *k)
{
	const struct sl_policy *policy = k->c.net->policy;
	struct sl_resolver *resolver = k->c.net->resolver;
	struct sl_net_peer peer = k->peer;

	peer.protocol = SL_NET_ICMP;
	return policy && k->peer.protocol == SL_NET_UDP &&
	       sl_net_allows(&policy->net, &peer, resolver ? sl_names_is_host : NULL,
			     resolver ? sl_resolver_names(resolver) : NULL, NULL);
}

/* What a process of the sandbox listens on needs no rule, unless one denies it. */
static bool is_own(struct connecting *k)
{
	const struct sl_policy *policy = k->c.net->policy;
	const struct sl_net_rule *denied = NULL;

	if (k->peer.protocol != SL_NET_TCP ||
	    (policy && !sl_net_allows(&policy->net, &k->peer, NULL, NULL, &denied) && denied))
		return false;
	k->own = sl_own_listener_hold(&k->c, &k->peer.address, k->peer.port);
	return k->own >= 0;
}

static int judge_internet(struct connecting *k)
{
	int r;

	if (sl_address_family(&k->address) == AF_UNSPEC)
		return k->address.len >= sizeof(sa_family_t) ? 0 : -EINVAL; /* dissolves a connection */
	sl_net_name_any(&k->c, &k->address);
	r = sl_net_judge(&k->c, &k->address, false, &k->peer);
	k->has_peer = r == 0 || r == -EACCES || r == -EAGAIN;
	if (k->has_peer && (r < 0 || !k->c.net->policy)) {
		int s = stand_in(k);

		if (s)
			return SL_MIN(s, 0);
	}
	if (k->has_peer && (r < 0 || !k->c.net->policy) && is_own(k))
		return 0;
	if (r < 0 && k->has_peer && is_asked_for_source(k)) {
		k->source_only = true;
		return 0;
	}
	k->look_up = r == -EAGAIN;
	return k->look_up ? 0 : r;
}

static int judge_local(struct connecting *k, const struct sl_address *a)
{
	int r;

	if (sl_address_family(a) == AF_UNSPEC && a->len >= sizeof(sa_family_t)) {
		k->address = *a;
		return 0;
	}
	r = sl_local_judge(&k->c, a, &k->local);
	k->address = k->local.address;
	return r;
}

static int judge(struct connecting *k)
{
	struct sl_address *a = &k->address;
	int r = sl_address_read(k->c.tid, k->c.n.data.args[1], k->c.n.data.args[2], a);

	if (r < 0)
		return r == -EFAULT || r == -EINVAL ? r : -EACCES;
	if (!sl_net_call_valid(&k->c))
		return -EACCES;
	switch (k->c.family) {
	case AF_UNIX: {
		struct sl_address copy = *a;

		return judge_local(k, &copy);
	}
	case AF_INET:
	case AF_INET6:
		return judge_internet(k);
	case AF_NETLINK:
		/* The kernel itself, or nobody: other processes' sockets are none of ours. */
		if (sl_address_family(a) == AF_UNSPEC || !k->c.net->policy)
			return 0;
		return a->len >= 12 && !memcmp((const char *)&a->storage + 4, "\0\0\0\0\0\0\0", 8) ? 0
												   : -EACCES;
	default:
		return k->c.net->policy ? -EACCES : 0;
	}
}

/* Give the call to a worker. */
static int64_t later(struct connecting *k)
{
	int r = sl_workers_run(k->c.net->workers, work, k);

	return r < 0 ? r : SL_LATER;
}

int64_t sl_net_connect(struct sl_net_call *c)
{
	struct connecting *k = sl_xcalloc(1, sizeof(*k));
	int64_t r;

	k->c = *c;
	k->local = SL_LOCAL_INIT;
	k->own = -EBADF;
	r = judge(k);
	if (r < 0) {
		if (k->has_peer || k->local.name)
			report(k, (int)-r, r == -EACCES);
	} else if (k->look_up) {
		r = later(k);
	} else {
		int e;

		r = connect_now(k);
		if (k->under_way)
			r = later(k);
		else if ((r == 0 || r == -EINPROGRESS) && (e = connected(k)) < 0)
			r = e;
		if (r != SL_LATER)
			report(k, r < 0 ? (int)-r : 0, false);
	}
	if (r != SL_LATER) {
		k->c.fd = -EBADF; /* the caller's to close */
		release(k);
	}
	return r;
}
