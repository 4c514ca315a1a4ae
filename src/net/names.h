/*
 * names.h - which names may be looked up, and which name gave which address in this run. State only: no I/O,
 * no clock.
 *
 * Under a policy the granted names are those that rules name. A query may leave for a granted name, for a
 * name that an answer to a granted name led to (CNAME, SVCB and HTTPS targets), and for the reverse name of
 * an address that a granted name gave. An address that an answer gave belongs to the name that was asked,
 * whatever chain led there, and to every granted name whose chain leads to the name that was asked. It
 * belongs to it until the end of the run, past its time to live: what was handed to a program may be used by
 * it later.
 *
 * While learning every name may be looked up, and the same table tells which name an address was reached by.
 *
 * All functions may be called from any thread.
 */
#ifndef SL_NET_NAMES_H
#define SL_NET_NAMES_H

#include "base/strbuf.h"
#include "net/dns.h"

struct sl_names;

/* learn: every name may be asked for, and is remembered. */
struct sl_names *sl_names_new(bool learn);
void sl_names_free(struct sl_names *n);

/* A rule names this host. What is no host name is passed over. "localhost" has the loopback addresses from
 * the start, as in every resolver that follows RFC 6761. */
void sl_names_grant(struct sl_names *n, const char *host);

/* May the question leave? While learning the name is noted as asked for. */
bool sl_names_may_ask(struct sl_names *n, const struct sl_dns_query *q);

/* Take over what a nameserver answered. Whoever calls this has matched the reply to a question that was sent.
 */
void sl_names_add_reply(struct sl_names *n, const void *msg, size_t len);

/* Take over the text of /etc/hosts: the addresses of granted names; while learning, of all. */
void sl_names_add_hosts(struct sl_names *n, const char *text, size_t len);

/* Does /etc/hosts have the granted name, or is it "localhost"? Then no nameserver need be asked. */
bool sl_names_is_local(struct sl_names *n, const char *name);

/* Has the host this address? The form of sl_net_is_host, with the struct sl_names as its argument. */
bool sl_names_is_host(void *names, const char *host, const struct in6_addr *address);

/* Append the granted names. */
void sl_names_granted(struct sl_names *n, struct sl_strv *out);

/* Learning: append the names by which the address was reached: those asked for whose answer gave it; where
 * there is none, the first name that /etc/hosts has for it (not for loopback addresses, which do not move).
 */
void sl_names_of(struct sl_names *n, const struct in6_addr *address, struct sl_strv *out);

/* Learning: may a resolver have compared the address with others? It does so with the addresses of a name that has several
 * (RFC 6724), "localhost" among them. hosts_read: somebody read /etc/hosts. */
bool sl_names_is_one_of_several(struct sl_names *n, const struct in6_addr *address, bool hosts_read);

/* Learning: append the names that were asked for with success, but reverse names of addresses that another of
 * them gave. */
void sl_names_answered(struct sl_names *n, struct sl_strv *out);

#endif
