/*
 * destination.h - does one rule of [network] or [http] give all that another one does?
 */
#ifndef SL_PROFILE_DESTINATION_H
#define SL_PROFILE_DESTINATION_H

#include <netinet/in.h>

#include "profile/profile.h"

#define SL_DESTINATION_TCP  1u
#define SL_DESTINATION_UDP  2u
#define SL_DESTINATION_ICMP 4u

/* A destination, taken apart. IPv4 is its v4-mapped IPv6 address. */
struct sl_destination {
	unsigned int protocols; /* SL_DESTINATION_* */
	bool any;		/* "*", or nothing before the ports */
	char *host;		/* lower case, without a final dot; NULL where it is an address */
	struct in6_addr address;
	unsigned int prefix;  /* of the 128 bits */
	struct sl_list ports; /* "N", "LO-HI"; none: every port */
};

/* Take apart what sl_check_destination() takes. False where its brackets or ports are none; never less than a
 * text says. Release it afterwards, whatever is returned. */
bool sl_destination_parse(struct sl_destination *ret, const char *text);
void sl_destination_release(struct sl_destination *d);

/* Does wide hold everything that narrow holds? */
bool sl_destination_covers(const struct sl_destination *wide, const struct sl_destination *narrow);

/* The same of two ports or ranges in canonical text ("80", "90-95", "*"). 0 is a port that the kernel picks,
 * and in no range. */
bool sl_ports_cover(const char *wide, const char *narrow);

/* The same of two rules "METHOD host[/path]". */
bool sl_http_rule_covers(const char *wide, const char *narrow);

/* Drop from a list every entry that another one covers; of two that cover each other the first in byte order
 * stays. More than 4096 destinations or rules are left as they are. */
void sl_destinations_absorb(struct sl_list *list);
void sl_ports_absorb(struct sl_list *list);
void sl_http_rules_absorb(struct sl_list *list);

/* The first entry of a list of destinations that covers text, or NULL. */
const char *sl_destinations_cover(const struct sl_list *list, const char *text);

#endif
