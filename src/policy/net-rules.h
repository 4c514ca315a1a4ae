/*
 * net-rules.h - the network part of a policy: compiled from [network], judged by one pure evaluator.
 *
 * An address is always the 16 bytes of an IPv6 one; IPv4 is folded to its v4-mapped form, and so is a
 * v4-mapped IPv6 address, so that both ways of writing it meet the same rules. Something is allowed where one
 * entry of allow (or, where only deny is there, its absence from deny) grants it and no entry of deny covers
 * it. Nothing listed: nothing allowed.
 *
 * A rule that names a host holds for the addresses that the host has now. Who knows them is asked through
 * sl_net_is_host; without it such a rule grants nothing.
 */
#ifndef SL_POLICY_NET_RULES_H
#define SL_POLICY_NET_RULES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "profile/destination.h"
#include "profile/profile.h"

enum sl_net_protocol {
	SL_NET_TCP = SL_DESTINATION_TCP,
	SL_NET_UDP = SL_DESTINATION_UDP,
	SL_NET_ICMP = SL_DESTINATION_ICMP, /* has no ports */
};

enum sl_net_target {
	SL_NET_ANY,	/* "*", or nothing before ":ports" */
	SL_NET_NETWORK, /* address and prefix; a single address has 128 */
	SL_NET_HOST,	/* a name */
};

struct sl_net_ports {
	uint16_t low, high;
};

/* One entry of allow or deny. */
struct sl_net_rule {
	uint8_t protocols; /* enum sl_net_protocol */
	enum sl_net_target target;
	struct in6_addr address;
	uint8_t prefix;		    /* of the 128 bits */
	char *host;		    /* lower case, without a final dot */
	struct sl_net_ports *ports; /* sorted; none: every port */
	size_t port_count;
	char *text; /* the entry as written */
	int line;   /* in the profile, or 0 */
};

struct sl_net_rules {
	struct sl_net_rule *allow, *deny;
	size_t allow_count, deny_count;
	struct sl_net_ports *bind, *deny_bind; /* sorted; "*" is 0 to 65535 */
	size_t bind_count, deny_bind_count;
	struct sl_strv sockets; /* unix: canonical paths (of a directory: what is below) and "@name" */
};

#define SL_NET_RULES_INIT ((struct sl_net_rules){0})
void sl_net_rules_release(struct sl_net_rules *r);

/* Compile the network keys of a profile whose entries were checked (profile/check.h). The paths of unix
 * become canonical where they exist; "~/" is the home directory. 0, or -EINVAL with err set. */
int sl_net_rules_compile(const struct sl_profile *profile, struct sl_net_rules *ret, struct sl_error *err);

/* Does the host have this address now? */
typedef bool sl_net_is_host(void *arg, const char *host, const struct in6_addr *address);

/* Where a packet or connection goes. */
struct sl_net_peer {
	enum sl_net_protocol protocol;
	struct in6_addr address;
	uint16_t port; /* host order; 0 for ICMP */
};

/* May the peer be reached? *ret_rule (may be NULL) receives the entry that grants or denies it, or NULL. */
bool sl_net_allows(const struct sl_net_rules *r, const struct sl_net_peer *peer, sl_net_is_host *is_host,
		   void *arg, const struct sl_net_rule **ret_rule);

/* May the multicast group be joined: is it a destination of datagrams, on any port? */
bool sl_net_allows_group(const struct sl_net_rules *r, const struct in6_addr *group);

/* Append the hosts that would let the peer be reached if they had its address; none where it is denied
 * anyway. */
void sl_net_hosts_for(const struct sl_net_rules *r, const struct sl_net_peer *peer, struct sl_strv *out);

/* May this port be bound? 0: one that the kernel picks. */
bool sl_net_allows_bind(const struct sl_net_rules *r, uint16_t port);

/* May this socket be connected to: a canonical path, or "@name" (an abstract name; "\\xNN" for what is not
 * printable)? */
bool sl_net_allows_socket(const struct sl_net_rules *r, const char *name);

/* Fold an address to the form above. */
struct in6_addr sl_net_fold4(struct in_addr address);
bool sl_net_is_4(const struct in6_addr *address);

/* Which protocols have a destination that may be reached at all (enum sl_net_protocol). */
unsigned int sl_net_protocols(const struct sl_net_rules *r);

/* Is there a rule that names a host? */
bool sl_net_has_hosts(const struct sl_net_rules *r);

/* Is "host" named by a rule that grants something? Compared without regard to case and a final dot. */
bool sl_net_names_host(const struct sl_net_rules *r, const char *host);

/* Append "tcp://[::1]:443", or "tcp://192.0.2.1:443" where the address is IPv4. */
void sl_net_peer_text(struct sl_strbuf *out, const struct sl_net_peer *peer);

#endif
