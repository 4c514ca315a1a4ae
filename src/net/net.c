/*
 * net.c - see net.h: the way of one notified call, and judging an address.
 */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/own-fd.h"
#include "kernel/seccomp.h"
#include "net/call.h"
#include "net/resolver.h"
#include "net/worker.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

void sl_net_start(struct sl_net *net)
{
	clock_gettime(CLOCK_REALTIME_COARSE, &net->since);
	net->workers = sl_workers_new();
}

void sl_net_stop(struct sl_net *net)
{
	sl_workers_free(net->workers);
	net->workers = NULL;
	sl_pidfds_release(&net->pidfds);
}

void sl_net_answer(const struct sl_net_call *c, int64_t result)
{
	if (result < 0)
		sl_notif_error(c->listener, c->n.id, (int)-result);
	else
		sl_notif_return(c->listener, c->n.id, result);
}

bool sl_net_call_valid(const struct sl_net_call *c)
{
	return sl_notif_valid(c->listener, c->n.id);
}

bool sl_net_call_protocol(const struct sl_net_call *c, enum sl_net_protocol *ret)
{
	if (c->family != AF_INET && c->family != AF_INET6)
		return false;
	if (c->type == SOCK_STREAM && c->protocol == IPPROTO_TCP)
		*ret = SL_NET_TCP;
	else if (c->type == SOCK_DGRAM && c->protocol == IPPROTO_UDP)
		*ret = SL_NET_UDP;
	else if (c->type == SOCK_DGRAM && (c->protocol == IPPROTO_ICMP || c->protocol == IPPROTO_ICMPV6))
		*ret = SL_NET_ICMP;
	else
		return false;
	return true;
}

void sl_net_call_report(const struct sl_net_call *c, struct sl_net_event *e, int error)
{
	socklen_t size = sizeof(e->cookie);

	if (!c->net->report)
		return;
	e->tid = c->tid;
	e->call = c->call->name;
	e->error = error;
	e->family = c->family;
	e->type = c->type;
	e->protocol = c->protocol;
	e->fd = c->fd;
	e->caller_fd = (int)c->n.data.args[0];
	if (c->fd < 0 || getsockopt(c->fd, SOL_SOCKET, SO_COOKIE, &e->cookie, &size) < 0)
		e->cookie = 0;
	c->net->report(c->net->arg, e);
}

static bool is_any(const struct sl_address *a)
{
	const struct in6_addr *six = &a->in6.sin6_addr;

	if (sl_address_family(a) == AF_INET)
		return !a->in.sin_addr.s_addr;
	return sl_address_family(a) == AF_INET6 &&
	       (IN6_IS_ADDR_UNSPECIFIED(six) || (IN6_IS_ADDR_V4MAPPED(six) && !six->s6_addr32[3]));
}

void sl_net_name_any(const struct sl_net_call *c, struct sl_address *a)
{
	struct sl_address own = {.len = sizeof(own.storage)};
	struct in6_addr *six = &a->in6.sin6_addr;
	bool bound;

	if (!is_any(a))
		return;
	bound = getsockname(c->fd, &own.any, &own.len) == 0;
	if (sl_address_family(a) == AF_INET) {
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (bound && own.any.sa_family == AF_INET && own.in.sin_addr.s_addr)
			a->in.sin_addr = own.in.sin_addr;
		if (bound && own.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&own.in6.sin6_addr))
			memcpy(&a->in.sin_addr, own.in6.sin6_addr.s6_addr + 12, 4);
	} else if (IN6_IS_ADDR_UNSPECIFIED(six)) {
		*six = in6addr_loopback;
		if (bound && own.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&own.in6.sin6_addr))
			*six = own.in6.sin6_addr;
	} else {
		six->s6_addr32[3] = htonl(INADDR_LOOPBACK);
	}
}

int sl_net_judge(const struct sl_net_call *c, const struct sl_address *a, bool final,
		 struct sl_net_peer *ret_peer)
{
	const struct sl_policy *policy = c->net->policy;
	struct sl_resolver *resolver = c->net->resolver;
	SL_CLEANUP(sl_strv_release) struct sl_strv hosts = SL_STRV_INIT;

	*ret_peer = (struct sl_net_peer){0};
	if (!sl_address_fold(a, &ret_peer->address, &ret_peer->port))
		return -EINVAL;
	if (!sl_net_call_protocol(c, &ret_peer->protocol))
		return -EACCES;
	if (!policy)
		return c->net->refuse_all ? -EACCES : 0;
	if (sl_net_allows(&policy->net, ret_peer, resolver ? sl_names_is_host : NULL,
			  resolver ? sl_resolver_names(resolver) : NULL, NULL))
		return 0;
	if (final || !resolver)
		return -EACCES;
	sl_net_hosts_for(&policy->net, ret_peer, &hosts);
	return hosts.len ? -EAGAIN : -EACCES;
}

/* Shared by who waits and who calls back: the last one frees it. */
struct look_up {
	sem_t done;
	int users;
};

static void leave(struct look_up *l)
{
	if (__atomic_sub_fetch(&l->users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	sem_destroy(&l->done);
	free(l);
}

static void looked_up(void *arg)
{
	struct look_up *l = arg;

	sem_post(&l->done);
	leave(l);
}

int sl_net_look_up(const struct sl_net_call *c)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv hosts = SL_STRV_INIT;
	struct look_up *l = sl_xcalloc(1, sizeof(*l));
	struct sl_wait w;
	int r = 0;

	sem_init(&l->done, 0, 0);
	l->users = 2;
	sl_names_granted(sl_resolver_names(c->net->resolver), &hosts);
	sl_wait_begin(&w, c->net->workers, c->listener, c->n.id, c->tid, 0);
	if (sl_resolver_look_up(c->net->resolver, &hosts, looked_up, l))
		while (sem_wait(&l->done) < 0 && (r = sl_wait_interrupted(&w)) == 0)
			;
	else
		l->users = 1; /* nobody calls back */
	sl_wait_end(&w);
	leave(l);
	return r == -EINTR ? -SL_ERESTARTSYS : r;
}

/* socket, socketpair: notified where --explain says what is refused, and learning what is made. */
static int64_t answer_socket(struct sl_net_call *c)
{
	int type = (int)c->n.data.args[1];
	struct sl_net_event e = {.deed = SL_NET_MADE, .refused = true};
	int error;

	c->family = (int)c->n.data.args[0];
	c->type = type & 0xf;
	c->protocol = (int)c->n.data.args[2];
	error = sl_net_plan_socket(&c->net->plan, c->family, type, c->protocol);
	if (!error && c->net->plan.judged && !c->net->plan.local_datagram &&
	    !strcmp(c->call->name, "socketpair") && c->type != SOCK_STREAM && c->type != SOCK_SEQPACKET)
		error = EACCES;
	if (!error) {
		/* The arguments are all registers, and they are allowed. */
		e.refused = false;
		sl_net_call_report(c, &e, 0);
		return SL_GO_ON;
	}
	sl_net_call_report(c, &e, error);
	return -error;
}

static int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -errno : value;
}

/* Take the caller's socket and look at what it is. Whoever acts on it sees after that, once for all that was read of
 * the caller, that the notification is valid. 0 or -errno for the caller. */
static int take_socket(struct sl_net_call *c)
{
	c->fd = sl_fd_take_by(&c->net->pidfds, c->tid, (int)c->n.data.args[0]);
	if (c->fd < 0)
		return c->fd == -EBADF ? -EBADF : -EACCES;
	c->family = socket_option(c->fd, SO_DOMAIN);
	if (c->family < 0)
		return c->family; /* EBADF, ENOTSOCK */
	c->type = socket_option(c->fd, SO_TYPE);
	c->protocol = socket_option(c->fd, SO_PROTOCOL);
	return c->type < 0 || c->protocol < 0 ? -EACCES : 0;
}

bool sl_net_call_waits(const struct sl_net_call *c)
{
	int flags = fcntl(c->fd, F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

static int64_t dispatch(struct sl_net_call *c, enum sl_op op)
{
	int r = take_socket(c);

	/* Receiving is not judged: what is no socket of ours is the kernel's to answer. */
	if (op == SL_OP_RECEIVE)
		return r < 0 ? SL_GO_ON : sl_net_receive(c);
	if (r < 0)
		return r;
	switch (op) {
	case SL_OP_CONNECT:
		return sl_net_connect(c);
	case SL_OP_BIND:
		return sl_net_bind(c);
	case SL_OP_LISTEN:
		return sl_net_listen(c);
	case SL_OP_SEND:
		return sl_net_send(c);
	case SL_OP_JOIN:
		return sl_net_join(c);
	default:
		return -EACCES;
	}
}

bool sl_net_notify(struct sl_net *net, int listener, const struct seccomp_notif *n,
		   const struct sl_call *call)
{
	struct sl_net_call c = {
	    .net = net, .listener = listener, .n = *n, .call = call, .tid = (pid_t)n->pid, .fd = -EBADF};
	enum sl_op op = sl_call_op(call, (const uint64_t *)n->data.args);
	int64_t result;

	sl_watch_begin();
	if (op == SL_OP_ASYNC)
		result = sl_net_async(&c);
	else
		result = op == SL_OP_SOCKET ? answer_socket(&c) : dispatch(&c, op);
	if (result != SL_LATER && result != SL_GO_ON)
		sl_net_answer(&c, result);
	if (result != SL_LATER) /* else the descriptor is the worker's */
		sl_close(c.fd);
	sl_watch_end();
	return result != SL_GO_ON;
}
