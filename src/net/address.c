/*
 * address.c - see address.h.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/path.h"
#include "kernel/tracee.h"

int sl_address_read(pid_t tid, uint64_t addr, uint64_t len, struct sl_address *ret)
{
	/* The kernel's parameter is an int. */
	int size = (int)(uint32_t)len;

	memset(ret, 0, sizeof(*ret));
	if (size < 0 || (size_t)size > sizeof(ret->storage))
		return -EINVAL;
	ret->len = (socklen_t)size;
	return size ? sl_tracee_read(tid, addr, &ret->storage, (size_t)size) : 0;
}

int sl_address_family(const struct sl_address *a)
{
	return a->len >= sizeof(sa_family_t) ? a->any.sa_family : AF_UNSPEC;
}

bool sl_address_fold(const struct sl_address *a, struct in6_addr *ret_address, uint16_t *ret_port)
{
	switch (sl_address_family(a)) {
	case AF_INET:
		if (a->len < sizeof(a->in))
			return false;
		*ret_address = sl_net_fold4(a->in.sin_addr);
		*ret_port = ntohs(a->in.sin_port);
		return true;
	case AF_INET6:
		/* RFC 2133 had no scope. */
		if (a->len < offsetof(struct sockaddr_in6, sin6_scope_id))
			return false;
		*ret_address = a->in6.sin6_addr;
		*ret_port = ntohs(a->in6.sin6_port);
		return true;
	default:
		return false;
	}
}

enum sl_local_kind sl_address_local(const struct sl_address *a)
{
	if (a->len <= offsetof(struct sockaddr_un, sun_path))
		return SL_LOCAL_UNNAMED;
	return a->local.sun_path[0] ? SL_LOCAL_PATH : SL_LOCAL_ABSTRACT;
}

void sl_address_path(const struct sl_address *a, char ret[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1])
{
	size_t room = sizeof(a->local.sun_path), len = a->len - offsetof(struct sockaddr_un, sun_path);

	len = strnlen(a->local.sun_path, SL_MIN(len, room));
	memcpy(ret, a->local.sun_path, len);
	ret[len] = '\0';
}

void sl_address_abstract(struct sl_strbuf *out, const struct sl_address *a)
{
	size_t len = SL_MIN((size_t)a->len, sizeof(a->local)) - offsetof(struct sockaddr_un, sun_path);

	sl_strbuf_addch(out, '@');
	for (size_t i = 1; i < len; i++) {
		unsigned char c = (unsigned char)a->local.sun_path[i];

		if (c < 0x20 || c > 0x7e || c == '\\')
			sl_strbuf_addf(out, "\\x%02x", c);
		else
			sl_strbuf_addch(out, (char)c);
	}
}
