/*
 * net-plan.c - see net-plan.h. Pure.
 */
#include "policy/net-plan.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/macros.h"

/* By level and name, ascending: the filter makes ranges of them. Leaving a group takes having joined it. */
const struct sl_net_group_option sl_net_group_options[] = {
    {IPPROTO_IP, IP_ADD_MEMBERSHIP, offsetof(struct ip_mreqn, imr_multiaddr), false},
    {IPPROTO_IP, IP_UNBLOCK_SOURCE, offsetof(struct ip_mreq_source, imr_multiaddr), false},
    {IPPROTO_IP, IP_BLOCK_SOURCE, offsetof(struct ip_mreq_source, imr_multiaddr), false},
    {IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, offsetof(struct ip_mreq_source, imr_multiaddr), false},
    {IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, offsetof(struct ip_mreq_source, imr_multiaddr), false},
    {IPPROTO_IP, IP_MSFILTER, offsetof(struct ip_msfilter, imsf_multiaddr), false},
    {IPPROTO_IP, MCAST_JOIN_GROUP, offsetof(struct group_req, gr_group), true},
    {IPPROTO_IP, MCAST_BLOCK_SOURCE, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IP, MCAST_UNBLOCK_SOURCE, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IP, MCAST_MSFILTER, offsetof(struct group_filter, gf_group), true},
    {IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, offsetof(struct ipv6_mreq, ipv6mr_multiaddr), false},
    {IPPROTO_IPV6, MCAST_JOIN_GROUP, offsetof(struct group_req, gr_group), true},
    {IPPROTO_IPV6, MCAST_BLOCK_SOURCE, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, offsetof(struct group_source_req, gsr_group), true},
    {IPPROTO_IPV6, MCAST_MSFILTER, offsetof(struct group_filter, gf_group), true},
};
const size_t sl_net_group_option_count = SL_ARRAY_LEN(sl_net_group_options);

const struct sl_net_group_option *sl_net_group_option(uint32_t level, uint32_t name)
{
	for (size_t i = 0; i < sl_net_group_option_count; i++)
		if (sl_net_group_options[i].level == level && sl_net_group_options[i].name == name)
			return &sl_net_group_options[i];
	return NULL;
}

/* Few enough for a Landlock rule each, or all that there are, from lowest on, for which it takes none. */
static bool few_enough(const struct sl_net_ports *ports, size_t count, uint16_t lowest, unsigned int *total)
{
	for (size_t i = 0; i < count; i++) {
		if (ports[i].low <= lowest && ports[i].high == UINT16_MAX)
			continue;
		*total += 1U + ports[i].high - ports[i].low;
	}
	return *total <= SL_NET_KERNEL_PORTS;
}

/* Do all destinations name TCP ports alone? */
static bool ports_only(const struct sl_net_rules *r)
{
	unsigned int total = 0;

	if (r->deny_count)
		return false;
	for (size_t i = 0; i < r->allow_count; i++) {
		const struct sl_net_rule *rule = &r->allow[i];

		if (rule->protocols != SL_NET_TCP || rule->target != SL_NET_ANY ||
		    !few_enough(rule->ports, rule->port_count, 1, &total))
			return false;
	}
	return r->allow_count > 0;
}

static void plan_learning(const struct sl_net_plan_input *in, struct sl_net_plan *p)
{
	enum sl_net_verdict seen = in->listener && in->can_take ? SL_NET_NOTIFY : SL_NET_PASS;

	*p = (struct sl_net_plan){
	    .connect = seen,
	    .bind = seen,
	    .listen = seen,
	    .send_to = seen,
	    .send_null = seen,
	    .send_message = seen,
	    .sources = seen == SL_NET_NOTIFY,
	    .fast_open = seen,
	    .join = seen,
	    .tcp = true,
	    .udp = true,
	    .icmp = true,
	    .local_stream = true,
	    .local_datagram = true,
	    .route = true,
	    .signals = seen == SL_NET_NOTIFY,
	};
}

static void plan_sends(struct sl_net_plan *p)
{
	bool datagrams = p->udp || p->icmp || p->local_datagram;

	p->send_to = p->send_message = datagrams ? SL_NET_NOTIFY : SL_NET_PASS;
	p->send_null = SL_NET_PASS;
	p->fast_open = p->connect == SL_NET_NOTIFY ? SL_NET_NOTIFY : SL_NET_REFUSE;
}

void sl_net_plan_make(const struct sl_net_plan_input *in, struct sl_net_plan *ret)
{
	static const struct sl_net_rules none = {0};
	const struct sl_net_rules *r = in->refuse_all || !in->rules ? &none : in->rules;
	bool supervised = in->listener && in->can_take, local;
	bool by_port = in->landlock_tcp && ports_only(r);
	unsigned int protocols = sl_net_protocols(r), total = 0;
	struct sl_net_plan p = {.judged = true, .route = true};

	if (!in->rules && !in->refuse_all) {
		plan_learning(in, ret);
		return;
	}
	/* Where sockets of the sandbox's own are to be reached, connect is the supervisor's. */
	local = r->sockets.len || in->private_tmp;
	p.kernel_connect = by_port && (!local || !supervised);
	/* Without a policy no ruleset withholds anything. */
	p.kernel_bind = in->landlock_tcp && in->rules && !r->deny_bind_count &&
			few_enough(r->bind, r->bind_count, 0, &total);
	p.connect = p.kernel_connect ? SL_NET_PASS : supervised ? SL_NET_NOTIFY : SL_NET_REFUSE;
	p.local_stream = !p.kernel_connect;
	p.local_datagram = supervised && r->sockets.len > 0;
	/* Whoever may send echo requests may find out from which address, with a datagram socket. */
	p.udp = supervised && ((protocols & (SL_NET_UDP | SL_NET_ICMP)) || sl_net_has_hosts(r));
	p.icmp = supervised && (protocols & SL_NET_ICMP);
	p.bind = p.kernel_bind && !p.udp ? SL_NET_PASS : supervised ? SL_NET_NOTIFY : SL_NET_REFUSE;
	if (p.bind == SL_NET_NOTIFY)
		p.kernel_bind = false;
	p.signals = supervised;
	plan_sends(&p);
	p.sources = supervised && sl_net_has_hosts(r);
	if (supervised) {
		p.tcp = in->landlock_tcp || r->allow_count || r->deny_count || r->bind_count ||
			r->deny_bind_count;
		p.listen = sl_net_allows_bind(r, 0) ? SL_NET_PASS : SL_NET_NOTIFY;
		/* No socket can be made that could listen. */
		if (!p.local_stream && !r->bind_count && !r->deny_bind_count)
			p.listen = SL_NET_REFUSE;
	} else {
		p.tcp = p.kernel_connect || (p.kernel_bind && sl_net_allows_bind(r, 0));
		p.listen = !p.tcp || sl_net_allows_bind(r, 0) ? SL_NET_PASS : SL_NET_REFUSE;
	}
	/* A socket of TCP can join too. */
	p.join = p.udp ? SL_NET_NOTIFY : p.tcp || p.icmp ? SL_NET_REFUSE : SL_NET_PASS;
	*ret = p;
}

void sl_net_plan_explain(struct sl_net_plan *plan)
{
	plan->connect = plan->bind = plan->listen = SL_NET_NOTIFY;
}

const char *sl_net_plan_lacks(const struct sl_net_plan_input *in, const struct sl_net_plan *plan)
{
	const struct sl_net_rules *r = in->rules;

	if (!r || in->refuse_all || (in->listener && in->can_take))
		return NULL;
	if ((r->allow_count || r->deny_count) && !plan->kernel_connect)
		return "network.allow names more than TCP ports";
	if (r->sockets.len)
		return "network.unix names sockets";
	if (r->deny_bind_count || (r->bind_count && (plan->bind != SL_NET_PASS || !sl_net_allows_bind(r, 0))))
		return "network.allow_bind names ports but not 0, so listen() has to be judged";
	return NULL;
}

static int local_error(const struct sl_net_plan *p, int type)
{
	bool stream = type == SOCK_STREAM || type == SOCK_SEQPACKET;

	return (stream ? p->local_stream : p->local_datagram) ? 0 : EACCES;
}

static int internet_error(const struct sl_net_plan *p, int family, int type, int protocol)
{
	int icmp = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	if (type == SOCK_RAW || type == SOCK_PACKET)
		return EPERM;
	if (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP))
		return p->tcp ? 0 : EACCES;
	if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
		return p->udp ? 0 : EACCES;
	if (type == SOCK_DGRAM && protocol == icmp)
		return p->icmp ? 0 : EACCES;
	/* As from a kernel that was built without it: programs that prefer MPTCP take TCP then. */
	if (type == SOCK_STREAM && p->tcp)
		return EPROTONOSUPPORT;
	return EACCES;
}

int sl_net_plan_socket(const struct sl_net_plan *p, int family, int type, int protocol)
{
	type &= 0xf;
	switch (family) {
	case AF_UNIX:
		return local_error(p, type);
	case AF_INET:
	case AF_INET6:
		return internet_error(p, family, type, protocol);
	case AF_NETLINK:
		return p->route && protocol == NETLINK_ROUTE ? 0 : EPROTONOSUPPORT;
	case AF_PACKET:
		return EPERM;
	default:
		return EAFNOSUPPORT;
	}
}
