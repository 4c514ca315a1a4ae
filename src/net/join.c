/*
 * join.c - setsockopt() that names a multicast group: joining one, or choosing whom to hear there.
 *
 * The kernel tells the network which group it is (IGMP, MLD), so a group is a destination of datagrams like any other. The
 * value is copied, the group in the copy judged, and the option set on the caller's open socket from the copy.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "net/call.h"

#define VALUE_MAX 65536 /* a list of sources can be long; what the kernel takes is less (optmem_max) */

static void report(const struct sl_net_call *c, struct sl_net_peer *group, int error, bool refused)
{
	struct sl_net_event e = {.deed = SL_NET_JOINED, .refused = refused, .has_peer = true};
	struct sl_address own = {.len = sizeof(own.storage)};
	struct in6_addr address;

	if (getsockname(c->fd, &own.any, &own.len) == 0)
		sl_address_fold(&own, &address, &group->port);
	e.peer = *group;
	sl_net_call_report(c, &e, error);
}

/* The group in the value. False where there is none. */
static bool find_group(const struct sl_net_group_option *o, const char *value, size_t len, struct in6_addr *ret)
{
	struct sl_address a = {.len = sizeof(a.in6)};
	struct in_addr four;
	uint16_t port;

	if (o->sockaddr) {
		if (len < o->offset + sizeof(a.in6))
			return false;
		memcpy(&a.storage, value + o->offset, sizeof(a.in6));
		return sl_address_fold(&a, ret, &port);
	}
	if (len < o->offset + (o->level == IPPROTO_IP ? sizeof(four) : sizeof(*ret)))
		return false;
	if (o->level == IPPROTO_IP) {
		memcpy(&four, value + o->offset, sizeof(four));
		*ret = sl_net_fold4(four);
	} else {
		memcpy(ret, value + o->offset, sizeof(*ret));
	}
	return true;
}

int64_t sl_net_join(struct sl_net_call *c)
{
	const struct sl_policy *policy = c->net->policy;
	uint32_t level = (uint32_t)c->n.data.args[1], name = (uint32_t)c->n.data.args[2], len = (uint32_t)c->n.data.args[4];
	const struct sl_net_group_option *o = sl_net_group_option(level, name);
	struct sl_net_peer group = {.protocol = SL_NET_UDP};
	SL_FREE char *value = NULL;
	int r;

	if (!o || len > VALUE_MAX)
		return o ? -ENOBUFS : -EACCES;
	value = sl_xcalloc(1, len + 1);
	r = len ? sl_tracee_read(c->tid, c->n.data.args[3], value, len) : 0;
	if (r < 0)
		return r == -EFAULT ? r : -EACCES;
	if (!sl_net_call_valid(c))
		return -EACCES;
	if (!find_group(o, value, len, &group.address))
		return -EINVAL;
	if (policy ? !sl_net_allows_group(&policy->net, &group.address) : c->net->refuse_all) {
		report(c, &group, EACCES, true);
		return -EACCES;
	}
	r = setsockopt(c->fd, (int)level, (int)name, value, len) < 0 ? -errno : 0;
	report(c, &group, -r, false);
	return r;
}
