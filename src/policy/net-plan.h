/*
 * net-plan.h - which part of the network rules the kernel judges alone, and which calls the supervisor does.
 *
 * Three tiers. Nothing listed: TCP and AF_UNIX stream sockets can be made and connect is the supervisor's,
 * for servers of the sandbox's own. Ports alone (tcp to any host, allow_bind): Landlock's port rules, and
 * nothing is notified but, where fixed ports may be bound, listen(), which gives an unbound socket a port that
 * Landlock does not see; AF_UNIX sockets, which no kernel judges, cannot be made then. Everything else: connect, bind and whatever carries
 * an address are notified, and done by the supervisor.
 *
 * What the supervisor cannot do here (no listener, no pidfd_getfd) is refused.
 *
 * Sockets that no profile can grant are refused while learning too: a program that falls back does so then.
 */
#ifndef SL_POLICY_NET_PLAN_H
#define SL_POLICY_NET_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/net-rules.h"

enum sl_net_verdict { SL_NET_REFUSE, SL_NET_PASS, SL_NET_NOTIFY };

/* Socket options that name a multicast group which is to be joined, or of which other sources are to be heard: the kernel
 * tells the network so, and which group it is. Level and name as setsockopt(2) has them; the group's address stands at an
 * offset in the value, alone or in a struct sockaddr_storage. */
struct sl_net_group_option {
	uint32_t level, name;
	uint8_t offset;
	bool sockaddr;
};
extern const struct sl_net_group_option sl_net_group_options[];
extern const size_t sl_net_group_option_count;

/* The option's row, or NULL. */
const struct sl_net_group_option *sl_net_group_option(uint32_t level, uint32_t name);

struct sl_net_plan {
	enum sl_net_verdict connect, bind, listen;
	enum sl_net_verdict send_to;	  /* sendto with an address */
	enum sl_net_verdict send_null;	  /* sendto without one */
	enum sl_net_verdict send_message; /* sendmsg, sendmmsg: the address is behind a pointer */
	enum sl_net_verdict fast_open;	  /* any send with MSG_FASTOPEN */
	enum sl_net_verdict join;	  /* multicast groups */
	/* Sockets that can be made. */
	bool tcp, udp, icmp, local_stream, local_datagram, route;
	bool sources; /* getpeername, and recvfrom that asks for the source, are notified: it may be a nameserver's stand-in */
	bool judged;			  /* run, or learn --no-network: what is not asked for is refused */
	bool signals; /* the supervisor switches signals of sockets and pipes on (FIOASYNC) */
	bool kernel_connect, kernel_bind; /* Landlock's port rules say which ports; else it withholds all */
};

struct sl_net_plan_input {
	const struct sl_net_rules *rules; /* NULL: nothing is judged (learn) */
	bool refuse_all;		  /* learn --no-network: nothing is granted, whatever the rules */
	bool listener;			  /* a supervisor answers */
	bool can_take;			  /* … and can take the caller's descriptors */
	bool landlock_tcp;		  /* Landlock judges TCP here */
	bool private_tmp; /* there is a private temporary directory, in which sockets may be made */
};

void sl_net_plan_make(const struct sl_net_plan_input *in, struct sl_net_plan *ret);

/* --explain: what the kernel would judge alone is notified too, so that a refusal can be said. */
void sl_net_plan_explain(struct sl_net_plan *plan);

/* What of the rules cannot be held with this plan, as the end of a sentence, or NULL. */
const char *sl_net_plan_lacks(const struct sl_net_plan_input *in, const struct sl_net_plan *plan);

/* What socket() answers: 0 or a positive errno. The filter gives the same answers. */
int sl_net_plan_socket(const struct sl_net_plan *plan, int family, int type, int protocol);

/* The most ports that become Landlock rules; with more the supervisor judges. */
#define SL_NET_KERNEL_PORTS 4096

#endif
