/*
 * filter-net.c - the judges of socket calls: the network plan as BPF.
 *
 * With --explain what would be refused is notified, so that it can be said; the supervisor then gives the
 * same error (sl_net_plan_socket() for socket, EACCES for the others).
 */
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "policy/judge.h"

#define SOCK_TYPE_BITS 0xfU /* the rest are SOCK_NONBLOCK and SOCK_CLOEXEC */

#ifndef IPV6_2292PKTOPTIONS
#define IPV6_2292PKTOPTIONS 6
#endif
#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR 32
#endif
#ifndef IPV6_2292RTHDR
#define IPV6_2292RTHDR 5
#endif

static uint32_t refused(const struct sl_filter_plan *plan, int error)
{
	return plan->listener && plan->explain ? SECCOMP_RET_USER_NOTIF : sl_verdict_refuse(error);
}

static uint32_t verdict(const struct sl_filter_plan *plan, enum sl_net_verdict v)
{
	switch (v) {
	case SL_NET_PASS:
		return SECCOMP_RET_ALLOW;
	case SL_NET_NOTIFY:
		return plan->listener ? SECCOMP_RET_USER_NOTIF : sl_verdict_refuse(EACCES);
	case SL_NET_REFUSE:
		break;
	}
	return refused(plan, EACCES);
}

/* End with what socket() of this family, type and protocol answers. */
static void end_socket(struct sl_bpf *b, const struct sl_filter_plan *plan, int family, int type,
		       int protocol)
{
	int error = sl_net_plan_socket(&plan->net, family, type, protocol);

	sl_bpf_ret(b, error ? refused(plan, error) : SECCOMP_RET_ALLOW);
}

/* The accumulator holds the protocol: one row for each that has an answer of its own, and the rest. */
static void judge_protocols(struct sl_bpf *b, const struct sl_filter_plan *plan, int family, int type)
{
	static const int protocols[] = {IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
	int other = sl_net_plan_socket(&plan->net, family, type, IPPROTO_MAX - 1);

	for (size_t i = 0; i < SL_ARRAY_LEN(protocols); i++) {
		size_t block;

		if (sl_net_plan_socket(&plan->net, family, type, protocols[i]) == other)
			continue;
		block = sl_bpf_if_eq(b, (uint32_t)protocols[i]);
		end_socket(b, plan, family, type, protocols[i]);
		sl_bpf_end(b, block);
	}
	end_socket(b, plan, family, type, IPPROTO_MAX - 1);
}

static void judge_internet(struct sl_bpf *b, const struct sl_filter_plan *plan, int family)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_PACKET};

	sl_bpf_load_low(b, 1);
	sl_bpf_and(b, SOCK_TYPE_BITS);
	for (size_t i = 0; i < SL_ARRAY_LEN(types); i++) {
		size_t block = sl_bpf_if_eq(b, (uint32_t)types[i]);

		sl_bpf_load_low(b, 2);
		judge_protocols(b, plan, family, types[i]);
		sl_bpf_end(b, block);
	}
	end_socket(b, plan, family, SOCK_SEQPACKET, 0);
}

static void judge_local(struct sl_bpf *b, const struct sl_filter_plan *plan)
{
	size_t block;

	sl_bpf_load_low(b, 1);
	sl_bpf_and(b, SOCK_TYPE_BITS);
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_STREAM) {
		block = sl_bpf_if_eq(b, (uint32_t)type);
		end_socket(b, plan, AF_UNIX, type, 0);
		sl_bpf_end(b, block);
	}
	end_socket(b, plan, AF_UNIX, SOCK_DGRAM, 0);
}

void sl_judge_socket(struct sl_bpf *b, const struct sl_filter_plan *plan,
		     const struct sl_call *call SL_UNUSED)
{
	size_t block;

	sl_bpf_load_low(b, 0);
	block = sl_bpf_if_eq(b, AF_UNIX);
	judge_local(b, plan);
	sl_bpf_end(b, block);
	if (plan->net.judged && !plan->net.icmp) {
		/* The two families differ in their ICMP alone. */
		size_t other = sl_bpf_if_eq(b, AF_INET6);

		_Static_assert((AF_INET6 & AF_INET) == AF_INET, "one becomes the other");
		sl_bpf_and(b, AF_INET);
		sl_bpf_end(b, other);
	}
	for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
		if (family == AF_INET6 && plan->net.judged && !plan->net.icmp)
			break;
		block = sl_bpf_if_eq(b, (uint32_t)family);
		judge_internet(b, plan, family);
		sl_bpf_end(b, block);
	}
	block = sl_bpf_if_eq(b, AF_NETLINK);
	sl_bpf_load_low(b, 2);
	judge_protocols(b, plan, AF_NETLINK, SOCK_RAW);
	sl_bpf_end(b, block);
	block = sl_bpf_if_eq(b, AF_PACKET);
	end_socket(b, plan, AF_PACKET, SOCK_RAW, 0);
	sl_bpf_end(b, block);
	end_socket(b, plan, AF_UNSPEC, 0, 0);
}

/* A pair of datagram sockets is no pair of pipes: each end can also send to any bound address, through a
 * pointer. */
void sl_judge_socketpair(struct sl_bpf *b, const struct sl_filter_plan *plan,
			 const struct sl_call *call SL_UNUSED)
{
	bool seen = !plan->net.judged && plan->listener;

	sl_bpf_load_low(b, 0);
	sl_judge_ne(b, AF_UNIX, sl_verdict_refuse(EOPNOTSUPP));
	if (seen || (plan->net.judged && !plan->net.local_datagram)) {
		uint32_t ret = seen ? SECCOMP_RET_USER_NOTIF : refused(plan, EACCES);

		sl_bpf_load_low(b, 1);
		sl_bpf_and(b, SOCK_TYPE_BITS);
		sl_judge_eq(b, SOCK_DGRAM, ret);
		sl_judge_eq(b, SOCK_RAW, ret); /* AF_UNIX: the same as SOCK_DGRAM */
	}
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

void sl_judge_connect(struct sl_bpf *b, const struct sl_filter_plan *plan,
		      const struct sl_call *call SL_UNUSED)
{
	sl_bpf_ret(b, verdict(plan, plan->net.connect));
}

/* A bind that is not the supervisor's is still seen where it is observed: a socket's path is a file that is
 * made. */
void sl_judge_bind(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call SL_UNUSED)
{
	bool observed = plan->listener && (plan->observe || plan->view) && plan->net.bind == SL_NET_PASS;

	sl_bpf_ret(b, observed ? SECCOMP_RET_USER_NOTIF : verdict(plan, plan->net.bind));
}

void sl_judge_listen(struct sl_bpf *b, const struct sl_filter_plan *plan,
		     const struct sl_call *call SL_UNUSED)
{
	sl_bpf_ret(b, verdict(plan, plan->net.listen));
}

/* sendto, sendmsg, sendmmsg. MSG_FASTOPEN connects; whether sendto has an address is seen in its register. */
void sl_judge_send(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	const struct sl_net_plan *net = &plan->net;

	sl_bpf_load_low(b, call->flags_arg);
	sl_judge_any(b, MSG_FASTOPEN, verdict(plan, net->fast_open));
	if (call->nr != __NR_sendto) {
		sl_bpf_ret(b, verdict(plan, net->send_message));
		return;
	}
	if (net->send_to != net->send_null) {
		sl_bpf_load_low(b, 4);
		sl_judge_ne(b, 0, verdict(plan, net->send_to));
		sl_bpf_load_high(b, 4);
		sl_judge_ne(b, 0, verdict(plan, net->send_to));
	}
	sl_bpf_ret(b, verdict(plan, net->send_null));
}

/* recvfrom that does not ask where a datagram came from goes on as it is. */
void sl_judge_receive(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	if (plan->listener && plan->net.sources && call->nr == __NR_getpeername) {
		sl_bpf_ret(b, SECCOMP_RET_USER_NOTIF);
		return;
	}
	if (plan->listener && plan->net.sources) {
		sl_bpf_load_low(b, 4);
		sl_judge_ne(b, 0, SECCOMP_RET_USER_NOTIF);
		sl_bpf_load_high(b, 4);
		sl_judge_ne(b, 0, SECCOMP_RET_USER_NOTIF);
	}
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

/* Source routes send packets by way of an address that nobody judged; a flow label can hold one. A protocol of another
 * kind on top of TCP (TCP_ULP) may connect without asking Landlock. By name, ascending. */
static const struct {
	uint32_t level, name;
} refused_options[] = {
    {IPPROTO_IP, IP_OPTIONS},	       {IPPROTO_IPV6, IPV6_2292RTHDR}, {IPPROTO_IPV6, IPV6_2292PKTOPTIONS},
    {IPPROTO_IPV6, IPV6_FLOWLABEL_MGR}, {IPPROTO_IPV6, IPV6_RTHDR},	{IPPROTO_TCP, TCP_ULP},
};

struct option_runs {
	struct sl_bpf_run runs[32];
	size_t count;
};

/* From this name on the verdict is another one. */
static void add_option_run(struct option_runs *r, uint32_t first, uint32_t ret)
{
	if (r->count && r->runs[r->count - 1].first == first)
		r->count--;
	if (r->count && r->runs[r->count - 1].ret == ret)
		return;
	assert(r->count < SL_ARRAY_LEN(r->runs));
	r->runs[r->count++] = (struct sl_bpf_run){first, ret, NULL};
}

/* What an option of the level is answered with. Where no group can be joined it does no harm that leaving one is refused
 * too: telling them apart makes the program longer. */
static uint32_t option_verdict(const struct sl_filter_plan *plan, uint32_t level, uint32_t name)
{
	bool coarse = plan->net.join == SL_NET_REFUSE && (name == IP_DROP_MEMBERSHIP || name == MCAST_LEAVE_GROUP);

	for (size_t i = 0; plan->net.judged && i < SL_ARRAY_LEN(refused_options); i++)
		if (refused_options[i].level == level && refused_options[i].name == name &&
		    (level != IPPROTO_TCP || plan->net.kernel_connect))
			return sl_verdict_refuse(EPERM);
	if (sl_net_group_option(level, name) || (coarse && level != IPPROTO_TCP && sl_net_group_option(level, name + 1)))
		return verdict(plan, plan->net.join);
	return SECCOMP_RET_ALLOW;
}

#define OPTION_LAST 64 /* above all that are judged */

void sl_judge_setsockopt(struct sl_bpf *b, const struct sl_filter_plan *plan,
			 const struct sl_call *call SL_UNUSED)
{
	static const uint32_t levels[] = {IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP};

	for (size_t i = 0; i < SL_ARRAY_LEN(levels); i++) {
		struct option_runs r = {.count = 0};
		size_t block;

		for (uint32_t name = 0; name <= OPTION_LAST; name++)
			add_option_run(&r, name, option_verdict(plan, levels[i], name));
		if (r.count == 1)
			continue;
		sl_bpf_load_low(b, 1);
		block = sl_bpf_if_eq(b, levels[i]);
		sl_bpf_load_low(b, 2);
		sl_bpf_tree(b, r.runs, r.count);
		sl_bpf_end(b, block);
	}
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}
