/*
 * address.h - socket addresses as they came from a caller: copied once, folded for the evaluator.
 */
#ifndef SL_NET_ADDRESS_H
#define SL_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/strbuf.h"
#include "policy/net-rules.h"

/* len bytes are the caller's; the rest is zero. */
struct sl_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un local;
		struct sockaddr_storage storage;
	};
	socklen_t len;
};

/* Copy an address of len bytes from the thread. 0; -EINVAL for a length that the kernel refuses; -EFAULT,
 * -EPERM, -ESRCH. */
int sl_address_read(pid_t tid, uint64_t addr, uint64_t len, struct sl_address *ret);

/* The family; AF_UNSPEC where the address is too short to have one. */
int sl_address_family(const struct sl_address *a);

/* Fold an AF_INET or AF_INET6 address. False for any other family, or one that is too short for what it says.
 */
bool sl_address_fold(const struct sl_address *a, struct in6_addr *ret_address, uint16_t *ret_port);

/* What kind of name an AF_UNIX address is. */
enum sl_local_kind {
	SL_LOCAL_UNNAMED, /* no name: the kernel picks one at bind, and connects to none */
	SL_LOCAL_PATH,
	SL_LOCAL_ABSTRACT,
};
enum sl_local_kind sl_address_local(const struct sl_address *a);

/* The path of an AF_UNIX address as a string of at most sizeof(sun_path) bytes and the NUL. */
void sl_address_path(const struct sl_address *a,
		     char ret[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1]);

/* Append "@name" for an abstract address. Bytes that no profile can hold are "\xNN"; so are "\" and what is
 * no ASCII. */
void sl_address_abstract(struct sl_strbuf *out, const struct sl_address *a);

#endif
