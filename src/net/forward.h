/*
 * forward.h - the stand-ins for nameservers: sockets on the loopback interface, and the thread that forwards
 * what may be asked. See resolver.h for why, forward.c for how.
 */
#ifndef SL_NET_FORWARD_H
#define SL_NET_FORWARD_H

#include "net/names.h"
#include "net/nameservers.h"

struct sl_forward;

struct sl_forward *sl_forward_new(struct sl_names *names);
void sl_forward_free(struct sl_forward *f); /* ends the thread; NULL is fine */

/* The stand-in's address for a nameserver, in this family (of the program's socket). 0 or -errno. */
int sl_forward_stand_in(struct sl_forward *f, const struct sl_nameserver *server, int family, int type,
			struct sl_nameserver *ret);

/* Answer queries from this socket's address. 0 or -errno. */
int sl_forward_admit(struct sl_forward *f, int fd);

/* See sl_resolver_stands_for(). */
bool sl_forward_stands_for(struct sl_forward *f, const struct sockaddr *addr, socklen_t len,
			   struct sl_nameserver *ret);

#endif
