/*
 * nameservers.h - the nameservers of a resolv.conf(5).
 */
#ifndef SL_NET_NAMESERVERS_H
#define SL_NET_NAMESERVERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define SL_NAMESERVERS_MAX 8

struct sl_nameserver {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

struct sl_nameservers {
	struct sl_nameserver list[SL_NAMESERVERS_MAX];
	size_t count;
};

/* Read the file's text; port (host order) is that of every nameserver, 53 but in tests. One that names none
 * means the local host's, as it does to every resolver. */
void sl_nameservers_parse(const char *text, size_t len, uint16_t port, struct sl_nameservers *ret);

/* The place of the address in the list, port included, v4-mapped addresses folded; -1 where it is no
 * nameserver. */
int sl_nameservers_find(const struct sl_nameservers *n, const struct sockaddr *addr, socklen_t len);

#endif
