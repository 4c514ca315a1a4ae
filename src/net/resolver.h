/*
 * resolver.h - the look-ups of one run: those of the confined program pass through here, and our own are made
 * here.
 *
 * A program asks the nameservers of /etc/resolv.conf in one of two ways:
 *
 * - It connects a UDP or TCP socket to one and then writes. No system call shows what it writes, so the
 * socket is connected to a stand-in instead: a socket of our own on the loopback interface, behind which a
 * thread (forward.c) reads each query, forwards what may be asked, made anew, and answers the rest with "no
 * such name". What the nameserver answers is taken over into the table before the program has it. A connected
 * socket takes messages from its peer alone.
 * - It sends to one from a UDP socket that is not connected. That call is done on its behalf, so the query is
 * seen and made anew (sl_resolver_check_query), leaves from the program's own socket, and the answer comes
 * back to it from the nameserver's own address, as such programs check. The same name is looked up by
 * ourselves at the same time.
 *
 * Before an address is refused that no look-up gave, the names in question are looked up once more
 * (sl_resolver_look_up). All I/O is in threads that are started when they are needed first; nothing here
 * blocks the caller.
 *
 * The files are read anew when they have changed, but those that the program may change itself.
 */
#ifndef SL_NET_RESOLVER_H
#define SL_NET_RESOLVER_H

#include <sys/socket.h>

#include "net/names.h"
#include "net/nameservers.h"

struct sl_resolver;

struct sl_resolver_options {
	bool learn;		 /* every name may be asked for */
	const char *resolv_conf; /* NULL: /etc/resolv.conf */
	const char *hosts;	 /* NULL: /etc/hosts */
	uint16_t port;		 /* of the nameservers; 0: 53 */
};

struct sl_resolver *sl_resolver_new(const struct sl_resolver_options *options);

/* What the files say now holds to the end: for those that the program may change, before it can. After the grants. */
void sl_resolver_keep(struct sl_resolver *r, bool resolv_conf, bool hosts);

/* Ends the threads; what waits for a look-up is called before. NULL is fine. */
void sl_resolver_free(struct sl_resolver *r);

/* The table; valid as long as the resolver. Grant the names of the rules before the first call of the
 * program. */
struct sl_names *sl_resolver_names(struct sl_resolver *r);

/* Is this the address (and port) of a nameserver? */
bool sl_resolver_is_nameserver(struct sl_resolver *r, const struct sockaddr *addr, socklen_t len);

/* Where a socket of that type (SOCK_DGRAM, SOCK_STREAM) is to be connected in place of a nameserver: an
 * address of the same family. 0; -ENOENT where addr is no nameserver's; -errno. */
int sl_resolver_stand_in(struct sl_resolver *r, const struct sockaddr *addr, socklen_t len, int type,
			 struct sl_nameserver *ret);

/* After a socket was connected to the stand-in (or its connection is under way), and before the program
 * knows: queries from its address, and from no other of this machine, are answered. 0 or -errno. */
int sl_resolver_admit(struct sl_resolver *r, int fd);

/* The nameserver behind a stand-in's address, in the same family: for a program that looks at where an answer
 * came from. False where it is no stand-in's. */
bool sl_resolver_stands_for(struct sl_resolver *r, const struct sockaddr *addr, socklen_t len,
			    struct sl_nameserver *ret);

/* A datagram to a nameserver: what may leave in its place, *ret_len bytes. 0; -EACCES: nothing may. */
int sl_resolver_check_query(struct sl_resolver *r, const void *msg, size_t len, uint8_t out[SL_DNS_QUERY_MAX],
			    size_t *ret_len);

/* Look the names up once more and then call done(arg), from another thread. Returns 1; or 0 where nothing new
 * is to be expected (all were looked up within the last second): done is not called then. done NULL: nobody
 * waits. */
int sl_resolver_look_up(struct sl_resolver *r, const struct sl_strv *hosts, void (*done)(void *arg),
			void *arg);

/* Wait until every look-up that was begun is over, for a nameserver's time to answer at the most: what the program
 * asked for at its very end is in the table then. */
void sl_resolver_await(struct sl_resolver *r);

/* Does a server listen under this canonical path that looks up any name for anybody (nscd, systemd-resolved)?
 * The C library goes on to plain DNS where it cannot connect. */
bool sl_resolver_is_side_door(const char *path);

#endif
